"""Growth of what is held at one time: open streams, and entries of the cache."""

import contextlib
import json
import subprocess
import time

from bench import contenders, processes, shapes
from bench.contenders import ROOM
from bench.load import command, drive
from bench.session import most_streams
from bench.streams import STREAM_GOAL_KIB, hold

CHUNKS_A_SECOND = 5_000  # of all streams together, whatever their number: only the number grows
SEED = 5
CACHE = f"{ROOM}\ncache: {{mode: seeded, memory: 8GiB, ttl: 24h, redis: false}}\n"


def streams(session):
    most = min(10_000, most_streams())
    points = [50, 100] if session.quick else [100, 1_000, 3_000, most]
    seconds, reports = (0.3 if session.quick else 4.0), []
    for _ in range(session.runs):
        for count in points:
            for start in (contenders.floor, contenders.sluice):
                with start(session) as contender:
                    reports.append(hold(session, contender, count, count / CHUNKS_A_SECOND, seconds))
    chunk = shapes.lines(reports, "streams", lambda report: report["cpu_us_per_chunk"])
    memory = shapes.lines(reports, "streams", lambda report: report["stream_kib"])
    panels = [
        shapes.panel("", "CPU µs/chunk", shapes.AS_FLOOR, shapes.FLAT_LIMIT, chunk),
        shapes.panel("", "KiB/stream", shapes.BELOW, STREAM_GOAL_KIB, memory),
    ]
    return shapes.series("CPU and memory against open streams", "open streams", panels, reports)


def entries(session):
    points = [200, 2_000] if session.quick else [1_000, 10_000, 100_000, 1_000_000]
    filled, reports = [], []
    with contextlib.ExitStack() as stack:
        floor = stack.enter_context(contenders.floor(session))
        contenders.set_mock(session.mock)
        for count in points:
            sluice = stack.enter_context(contenders.sluice(session, CACHE))
            filled.append((count, sluice, fill(session, sluice, count)))
        for _ in range(session.runs):
            reports.append(drive(session, floor, ["--conns", 64]) | {"x": 0})
            for count, sluice, _ in filled:
                load = ["--conns", 64, "--seeded", "--expect", "x-sluice-cache: hit", *bodies(count)]
                reports.append(drive(session, sluice, load) | {"x": count})
    hit = shapes.lines(reports, "x", lambda report: report["cpu_us_per_sent"])
    fills = [report for _, _, report in filled]
    memory = shapes.lines(fills, "x", lambda report: report["held_mib"])
    panels = [
        shapes.panel("", "CPU µs/hit", shapes.FLAT, shapes.FLAT_LIMIT, hit),
        shapes.panel("", "MiB in memory", None, None, memory),
    ]
    title = "CPU of a cache hit, and memory"
    return shapes.series(title, "entries of 1 KB", panels, [*fills, *reports])


def bodies(count):
    return ["--distinct", count, "--seed", SEED]


def fill(session, sluice, count):
    """Asks for each answer once; what is logged meanwhile is dropped."""
    rest = processes.rss_mib(sluice.pid)
    load = ["--conns", 64, "--seeded", "--requests", count, *bodies(count), "--warmup", 0, "--duration", 1_000]
    with subprocess.Popen(command(session, sluice, load), stdout=subprocess.PIPE, text=True) as generator:
        while generator.poll() is None:
            session.log.truncate(0)
            time.sleep(0.1)
        report = json.loads(generator.stdout.read())
    held = processes.rss_mib(sluice.pid)
    report |= {"contender": "sluice", "x": count, "rest_mib": round(rest, 2), "held_mib": round(held, 2)}
    return report | {"entry_bytes": round((held - rest) * 2**20 / count)}


SERIES = {"streams": streams, "entries": entries}
