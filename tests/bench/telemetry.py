"""What telling about a request costs, and a scrape; no floor has any of it."""

import json
import subprocess

from bench import rows
from bench.contenders import BIN

ROWS = ["telemetry"]
# What telling may cost, in µs of its thread, and what a scrape of the largest gateway may take.
TOLD_GOAL_US = 3.0
SCRAPE_GOAL_MS = 50


def measure(session):
    command = [BIN / "telemetry"]
    if session.ours is not None:
        command = ["taskset", "-c", str(session.ours), *command]
    runs = range(session.runs)
    told = [json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in runs]

    def figure(title, unit, member, goal):
        return rows.figure(title, unit, {"sluice": [run[member] for run in told]}, rows.at_most(goal), digits=2)

    figures = [
        figure("telling of a plain request with two tries", "CPU µs", "plain_us", TOLD_GOAL_US),
        figure("telling of a stream with two tries", "CPU µs", "stream_us", TOLD_GOAL_US),
        figure(f"scrape of {told[0]['series']:,} series", "ms", "scrape_ms", SCRAPE_GOAL_MS),
    ]
    yield rows.row("telemetry", figures)
