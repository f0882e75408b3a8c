"""What telling about a request costs, and a scrape; no floor has any of it."""

import json
import subprocess

import harness

from bench import rows

ROWS = ["telemetry"]
# What telling may cost, in µs of its thread, and what a scrape of the largest gateway may take.
TOLD_GOAL_US = 3.0
SCRAPE_GOAL_MS = 50


def alone(session, word):
    """What `micro` says to that word, with the measured core for itself; built as the Sluice that is measured."""
    pinned = [] if session.ours is None else ["taskset", "-c", str(session.ours)]
    command = [*pinned, harness.SLUICE.with_name("micro"), word]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure(session):
    runs = [alone(session, "telling") for _ in range(session.runs)]

    def figure(title, unit, of, goal):
        return rows.figure(title, unit, {"sluice": [of(run) for run in runs]}, rows.at_most(goal), digits=2)

    figures = [
        figure("telling of a plain request with two tries", "CPU µs", lambda run: run["plain_us"][2], TOLD_GOAL_US),
        figure("telling of a stream with two tries", "CPU µs", lambda run: run["stream_us"], TOLD_GOAL_US),
        figure(f"scrape of {runs[0]['series']:,} series", "ms", lambda run: run["scrape_ms"], SCRAPE_GOAL_MS),
    ]
    yield rows.row("telemetry", figures)
