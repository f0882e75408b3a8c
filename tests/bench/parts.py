"""What a row's features cost by themselves: each operation alone, again and again, so that all it needs is at hand.

In a gateway, where much else happens between two requests, each costs more. So a row costs at least the bare hyper
proxy and its operations together, and where that is more than a goal, the goal is out of reach with these features at
their cost, however little the rest took.
"""

import statistics

from bench import contenders, rows
from bench.load import ASIDE, drive
from bench.telemetry import alone

ROWS = ["parts"]
# What `micro` calls them, and what they are.
NAMES = {
    "envelope-1k": "1 KB read and checked",
    "estimate-1k": "tokens of 1 KB estimated",
    "limits-key": "a key's limits taken and settled",
    "limits": "those of four scopes",
    "encode-1k": "1 KB written for an upstream",
    "answer-1k": "an answer of 1 KB read",
    "cache-key-1k": "cache key of 1 KB",
    "cache-hit": "an answer found in memory",
    "cache-store": "an answer judged and stored",
    "envelope-100k": "100 KB read and checked",
    "estimate-100k": "tokens of 100 KB estimated",
}
TOLD = ["told of, without a try", "told of, with one try"]
ALONE = "hyper alone answers 1 KB"
PLAIN = ["envelope-1k", "estimate-1k", "limits-key", "encode-1k", "answer-1k"]
# A row: the row whose bare proxy it has, or hyper alone; its operations; how often it is tried; whose threads it uses.
SUMS = {
    "plain": ("plain", PLAIN, 1, "plain"),
    "limited": ("plain", ["limits" if part == "limits-key" else part for part in PLAIN], 1, "plain"),
    "hit": (None, ["envelope-1k", "limits-key", "cache-key-1k", "cache-hit"], 0, "hit"),
    "miss": ("plain", [*PLAIN, "cache-key-1k", "cache-store"], 1, "plain"),
    "100k": ("100k", ["envelope-100k", "estimate-100k", "limits-key", "encode-1k", "answer-1k"], 1, "plain"),
}


def measure(session):
    with contenders.answering(session) as hyper:
        reports = [drive(session, hyper, ["--conns", 64]) for _ in range(session.runs)]
    figures = [rows.cpu_figure(ALONE, "request", reports)]
    costs = [alone(session, "cost") for _ in range(session.runs)]
    told = [alone(session, "telling") for _ in range(session.runs)]
    taken = {title: [cost[name] for cost in costs] for name, title in NAMES.items()}
    taken |= {title: [run["plain_us"][tries] for run in told] for tries, title in enumerate(TOLD)}
    figures += [rows.figure(title, "CPU µs", {"sluice": values}, digits=2) for title, values in taken.items()]
    yield rows.row("parts", figures, reports)


def sums(found):
    """Of each row that has all its parts: title, hyper alone, the operations, the threads, the floor, its figure."""
    by_title = {shown["title"]: shown for row in found for shown in row["figures"]}
    first = {row["row"]: row["figures"][0] for row in found}
    aside = {row["row"]: beside(row["reports"]) for row in found}
    for name, (proxy, operations, tries, threads) in SUMS.items():
        wanted = [ALONE, TOLD[tries], *(NAMES[operation] for operation in operations)]
        if name not in first or aside.get(threads) is None or any(title not in by_title for title in wanted):
            continue
        floor = rows.median(first[name], "floor")
        base = of_proxy(first[proxy], floor) if proxy else rows.median(by_title[ALONE], "bare")
        if base is None or floor is None:
            continue
        parts = [rows.median(by_title[title], "sluice") for title in wanted[1:]]
        yield first[name]["title"], base, sum(parts), aside[threads], floor, first[name]


def of_proxy(shown, floor):
    """What the bare proxy costs where the floor costs so much: the machine may have changed its pace since."""
    bare, then = rows.median(shown, "bare"), rows.median(shown, "floor")
    return bare / then * floor if bare and then and floor else None


def beside(reports):
    """What the threads had of a request for which none waits; none where it was not counted."""
    taken = [report["aside_us_per_sent"] for report in reports if "aside_us_per_sent" in report]
    if not taken or any(name not in each for each in taken for name in ASIDE):
        return None
    return sum(statistics.median(each[name] for each in taken) for name in ASIDE)


def told(found):
    """The sums in words."""
    for title, base, parts, threads, floor, shown in sums(found):
        whole = base + parts + threads
        goal = shown["goal"]["limit"] * floor
        yield (
            f"{title}: hyper {base:.1f} µs, the operations alone {parts:.1f}, the ledger's and the log's threads "
            f"{threads:.1f}: at least {whole:.1f} µs, {whole / floor:.2f} × the floor; the goal is {goal:.1f}"
        )
