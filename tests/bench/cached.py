"""The cache, beside the floor's plain request: the floor has none."""

import contextlib
import statistics

from bench import contenders, rows
from bench.contenders import PLAIN, ROOM
from bench.load import drive, told_aside

# Whose cache: one in memory with room, one in memory that is full, the same so small that the processor's own cache
# holds it, one in Redis alone.
ROOMY, FULL, SMALL, IN_REDIS = "roomy", "full", "small", "in Redis"
# name: the cache, what each answer must say of it, the load, what it is called, the goal as a ratio to the floor's
# plain request. With Redis there are more bodies than connections: equal requests at the same time would be answered
# together.
KINDS = {
    "hit": (ROOMY, "hit", ["--distinct", 1, "--seed", 1], "cache hit, 1 KB, from memory", 0.6),
    "hit-stream": (ROOMY, "hit", ["--distinct", 1, "--seed", 2, "--stream"], "cache hit, a stream", None),
    "miss": (FULL, "miss", [], "cacheable miss, stored in a full cache", 1.6),
    "miss-small": (SMALL, "miss", [], "cacheable miss, in a full cache of 10 MiB instead of 64", None),
    "hit-redis": (IN_REDIS, "hit", ["--distinct", 250, "--seed", 3], "cache hit, 1 KB, from Redis", None),
}
ROWS = list(KINDS)
HITS_GOAL = 60_000  # of one core in a second
CHUNKS = 20  # of a stored stream: some 4 KB
WARMUP = 0.5  # in which what is hit is stored
# A cache that grows takes new pages, and pays a fault for each. One that has run for a while is full, and what it
# stores goes where something else was. The large one is as large as the other rows' cache.
FULL_MIB, SMALL_MIB, ENTRY_BYTES = 64, 10, 2_200


def measure(session):
    chosen = [name for name in session.wants(*ROWS) if session.has_redis or KINDS[name][0] != IN_REDIS]
    seconds = session.seconds / 2
    with contextlib.ExitStack() as stack:
        floor = stack.enter_context(contenders.floor(session))
        contenders.set_mock(session.mock, chunks=CHUNKS)
        makers = {
            ROOMY: lambda: roomy(session, stack),
            FULL: lambda: full(session, stack, FULL_MIB),
            SMALL: lambda: full(session, stack, SMALL_MIB),
            IN_REDIS: lambda: in_redis(session, stack),
        }
        wanted = dict.fromkeys(KINDS[name][0] for name in chosen)
        running = {cache: makers[cache]() for cache in wanted}
        reports = {name: [] for name in chosen}
        for _ in range(session.runs):
            bare = drive(session, floor, ["--conns", 64], seconds)
            for name in chosen:
                cache, verdict, load, *_ = KINDS[name]
                load = ["--conns", 64, "--seeded", "--expect", f"x-sluice-cache: {verdict}", *load]
                reports[name] += [bare, drive(session, running[cache], load, seconds, WARMUP)]
    for name, mine in reports.items():
        yield summary(name, mine)


def roomy(session, stack):
    return stack.enter_context(contenders.sluice(session, PLAIN))


def in_redis(session, stack):
    link = stack.enter_context(contenders.redis(session))
    more = f"{ROOM}\ncache: {{mode: seeded, memory: 0B}}\n{link}"
    return stack.enter_context(contenders.sluice(session, more))


def full(session, stack, mib):
    """Filled by as many misses as its memory holds answers, twice."""
    more = f"{ROOM}\ncache: {{mode: seeded, memory: {mib}MiB, redis: false}}\n"
    filling = 2 * mib * 2**20 // ENTRY_BYTES
    sluice = stack.enter_context(contenders.sluice(session, more))
    drive(session, sluice, ["--conns", 64, "--seeded", "--requests", filling], seconds=60)
    if not sluice.metric("sluice_cache_evictions_total", 'reason="capacity"'):
        raise RuntimeError(f"{filling:,} misses do not fill a cache of {mib} MiB")
    return sluice


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
