"""Requests and streams that only pass through, side by side with every proxy."""

import contextlib
import statistics

from bench import contenders, rows
from bench.load import drive, told_aside

# name: what is counted, the mock's behaviour, the load, what it is called, the goal as a ratio to the floor
KINDS = {
    "plain": ("request", {}, ["--conns", 64], "plain request, 1 KB", 1.35),
    "chunk": ("chunk", {"gap_us": 10_000}, ["--stream", "--conns", 64], "chunk, 64 paced streams", 1.15),
    "firehose": ("chunk", {"gap_us": 0}, ["--stream", "--conns", 64], "chunk, as fast as it goes", 1.15),
    # As OpenAI's are, by their padding: none can be known by the one before.
    "unlike": ("chunk", {"noise": 1}, ["--stream", "--conns", 64], "the same, no two chunks alike", 1.15),
    "100k": ("request", {}, ["--conns", 16, "--body-size", 100_000], "100 KB prompt", 1.15),
    "1m": ("request", {}, ["--conns", 4, "--body-size", 1_000_000], "1 MB prompt", 1.15),
}
ROWS = list(KINDS)
TRANSIT_GOAL_MS = 1


def measure(session):
    with contextlib.ExitStack() as stack:
        running = contenders.proxies(session, stack)
        running.append(stack.enter_context(contenders.sluice(session)))
        for name in session.wants(*ROWS):
            unit, behaviour, load, title, goal = KINDS[name]
            contenders.set_mock(session.mock, **behaviour)
            # Paced streams use little CPU: over a longer run it is counted better.
            seconds = session.seconds * (3 if behaviour.get("gap_us") else 1)
            # Interleaved: what disturbs the machine disturbs all.
            reports = [drive(session, each, load, seconds) for _ in range(session.runs) for each in running]
            figures = [rows.cpu_figure(title, unit, reports, rows.ratio(goal)), *further(name, reports)]
            yield rows.row(name, figures, reports, notes(name, reports))


def notes(name, reports):
    """What Sluice's threads had of it. At full speed one core is the bound: whose it was."""
    if name == "plain":
        yield from told_aside(KINDS[name][3], reports)
        busy = rows.by_contender(reports, lambda report: report["busy_percent"])
        shares = [f"{who} {statistics.median(shares):.0f} %" for who, shares in busy.items()]
        yield f"throughput of plain requests: share of its core that each used: {', '.join(shares)}"


def further(name, reports):
    """What else such a measurement shows."""
    if name == "plain":
        rates = rows.by_contender(reports, lambda report: report["rps"])
        yield rows.figure("throughput of plain requests", "requests/s", rates, digits=0)
        memory = rows.by_contender(reports, lambda report: report["rss_mib"])
        yield rows.figure("memory under that load", "MiB", memory)
    if name == "chunk":
        for quantile, goal in (("p50", None), ("p99", rows.over(TRANSIT_GOAL_MS))):
            way = rows.by_contender(reports, lambda report, at=quantile: report["transit_us"][at] / 1000)
            yield rows.figure(f"way of a paced chunk, {quantile}", "ms", way, goal, digits=2)
