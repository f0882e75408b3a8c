"""Time that is added at rates far below what a core can do, over an upstream that takes 20 ms.

Added is against driving the mock itself in the same round with the same load, and each contender is to be near the
floor. What a machine adds to everybody is in none of it.
"""

import contextlib

from bench import contenders, rows
from bench.load import drive

UPSTREAM = {"latency_us": 20_000}
STREAMED = {"latency_us": 20_000, "chunks": 5, "gap_us": 5_000}
# name: the mock's behaviour, requests a second, more of the load, the report's member, what it is called
KINDS = {
    "latency-1000": (UPSTREAM, 1000, [], "latency_us", "added at 1,000 requests/s"),
    "latency-200": (UPSTREAM, 200, [], "latency_us", "added at 200 requests/s"),
    "ttft": (STREAMED, 200, ["--stream"], "first_event_us", "added to the first event"),
}
ROWS = list(KINDS)
GOAL_US = 100  # more than the floor
# Of one run: of fewer, the machine's own pauses decide where a hundredth of them ends.
LEAST_REQUESTS = 2_000


def measure(session):
    with contextlib.ExitStack() as stack:
        running = [contenders.direct(session), *contenders.proxies(session, stack)]
        running.append(stack.enter_context(contenders.sluice(session)))
        for name in session.wants(*ROWS):
            behaviour, rate, more, member, title = KINDS[name]
            contenders.set_mock(session.mock, **behaviour)
            load = ["--rps", rate, "--conns", 128, *more]
            seconds = session.seconds if session.quick else max(2 * session.seconds, LEAST_REQUESTS / rate)
            reports = [drive(session, each, load, seconds) for _ in range(session.runs) for each in running]
            figures = [added(title, member, quantile, reports) for quantile in ("p50", "p99")]
            yield rows.row(name, figures, reports)


def added(title, member, quantile, reports):
    taken = rows.by_contender(reports, lambda report: report[member][quantile])
    alone = taken.pop("direct")
    values = {name: [through - bare for through, bare in zip(mine, alone, strict=True)] for name, mine in taken.items()}
    return rows.figure(f"{title}, {quantile}", "µs", values, rows.over(GOAL_US), digits=0)
