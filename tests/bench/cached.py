"""The cache, beside the floor's plain request: the floor has none."""

import contextlib
import statistics

from bench import contenders, rows
from bench.contenders import PLAIN, ROOM
from bench.load import drive, told_aside

# name: whether the only tier is Redis, what each answer must say of the cache, the load, what it is called, the goal
# as a ratio to the floor's plain request. With Redis there are more bodies than connections: equal requests at the
# same time would be answered together.
KINDS = {
    "hit": (False, "hit", ["--distinct", 1, "--seed", 1], "cache hit, 1 KB, from memory", 0.6),
    "hit-stream": (False, "hit", ["--distinct", 1, "--seed", 2, "--stream"], "cache hit, a stream", None),
    "miss": (False, "miss", [], "cacheable miss: looked up, asked, stored", 1.6),
    "hit-redis": (True, "hit", ["--distinct", 250, "--seed", 3], "cache hit, 1 KB, from Redis", None),
}
ROWS = list(KINDS)
HITS_GOAL = 60_000  # of one core in a second
CHUNKS = 20  # of a stored stream: some 4 KB
WARMUP = 0.5  # in which the cache is filled


def measure(session):
    chosen = [name for name in session.wants(*ROWS) if session.has_redis or not KINDS[name][0]]
    seconds = session.seconds / 2
    with contextlib.ExitStack() as stack:
        floor = stack.enter_context(contenders.floor(session))
        sluice = stack.enter_context(contenders.sluice(session, PLAIN))
        on_redis = None
        if any(KINDS[name][0] for name in chosen):
            link = stack.enter_context(contenders.redis(session))
            more = f"{ROOM}\ncache: {{mode: seeded, memory: 0B}}\n{link}"
            on_redis = stack.enter_context(contenders.sluice(session, more))
        contenders.set_mock(session.mock, chunks=CHUNKS)
        reports = {name: [] for name in chosen}
        for _ in range(session.runs):
            bare = drive(session, floor, ["--conns", 64], seconds)
            for name in chosen:
                in_redis, verdict, load, *_ = KINDS[name]
                load = ["--conns", 64, "--seeded", "--expect", f"x-sluice-cache: {verdict}", *load]
                reports[name] += [bare, drive(session, on_redis if in_redis else sluice, load, seconds, WARMUP)]
    for name, mine in reports.items():
        yield summary(name, mine)


def summary(name, reports):
    *_, title, goal = KINDS[name]
    figures = [rows.cpu_figure(title, "request", reports, goal and rows.ratio(goal))]
    ours = [report for report in reports if report["contender"] == "sluice"]
    busy = statistics.median(report["busy_percent"] for report in ours)
    notes = [f"{title}: {statistics.median(report['rps'] for report in ours):,.0f}/s, its core {busy:.0f} % busy"]
    if name == "hit":
        notes[:0] = told_aside(title, reports)
        rates = {"sluice": [report["rps"] for report in ours]}
        figures.append(rows.figure("cache hits on one core", "hits/s", rates, rows.at_least(HITS_GOAL), digits=0))
    return rows.row(name, figures, reports, notes)
