"""What limits and budgets cost, in memory and through Redis, beside the floor's plain request."""

import contextlib
import statistics

from bench import contenders, rows
from bench.contenders import CACHE, PLAIN, ROOM
from bench.load import drive

# Prices, so that cost is reckoned; the ledger is in a file as everywhere.
PRICED = 'prices: [{provider: up, model: "*", input: 2.5, cached_input: 1.25, output: 10}]\n'
MONEY = "budget: {usd: 100000000, per: month, warn_at: [75%, 90%]}"
# Everything that a request can be limited by.
LIMITED = {
    "models": [f"  - {{name: bench, {ROOM}, targets: [{{provider: up, model: bench}}]}}"],
    "provider_members": ROOM,
    "key_members": f'models: ["*"], tenant: all, {ROOM}, {MONEY}',
}
TENANT = f"tenants: [{{name: all, {ROOM}, {MONEY}}}]\n"
ALL = PRICED + CACHE + "\n" + TENANT
# name: whether Redis counts, the configuration, what it is called, the goal as a ratio to the floor's plain request
KINDS = {
    "redis": (True, {"more": PLAIN}, "plain request, the same limits in Redis", 1.5),
    "unlimited": (False, {"more": PRICED + CACHE}, "plain request, no limits", None),
    "limited": (False, {"more": ALL, **LIMITED}, "all limits and budgets, in memory", 1.35),
    "limited-redis": (True, {"more": ALL, **LIMITED}, "all limits and budgets, in Redis", 1.5),
}
ROWS = list(KINDS)
# Round trips to Redis so far, whatever for.
OPERATIONS = "sluice_redis_op_duration_seconds_count"


def measure(session):
    chosen = [name for name in session.wants(*ROWS) if session.has_redis or not KINDS[name][0]]
    with contextlib.ExitStack() as stack:
        floor = stack.enter_context(contenders.floor(session))
        link = stack.enter_context(contenders.redis(session)) if session.has_redis else ""
        running = {}
        for name in chosen:
            on_redis, config, *_ = KINDS[name]
            more = config["more"] + ("\n" + link if on_redis else "\n")
            running[name] = stack.enter_context(contenders.sluice(session, **{**config, "more": more}))
        contenders.set_mock(session.mock)
        reports = {name: [] for name in chosen}
        for _ in range(session.runs):
            bare = drive(session, floor, ["--conns", 64])
            for name, sluice in running.items():
                reports[name] += [bare, limited(session, sluice)]
        costs = {name: middle(mine) for name, mine in reports.items()}
        for name, mine in reports.items():
            yield summary(name, mine, costs)


def limited(session, sluice):
    before = sluice.metric(OPERATIONS)
    report = drive(session, sluice, ["--conns", 64])
    report["redis_per_request"] = (sluice.metric(OPERATIONS) - before) / max(1, report["sent"])
    return report


def middle(reports):
    return statistics.median(report["cpu_us_per_sent"] for report in reports if report["contender"] == "sluice")


def summary(name, reports, costs):
    on_redis, _, title, goal = KINDS[name]
    figures = [rows.cpu_figure(title, "request", reports, goal and rows.ratio(goal))]
    notes = []
    if on_redis:
        asked = [report["redis_per_request"] for report in reports if "redis_per_request" in report]
        notes.append(f"{title}: {statistics.median(asked):.4f} operations of Redis a request")
    if name != "unlimited" and "unlimited" in costs:
        notes.append(f"{title}: {costs[name] / costs['unlimited']:.2f} × the row without limits")
    return rows.row(name, figures, reports, notes)
