"""A row: one measurement, the figures that it gives, and what each of them should be."""

import statistics

RATIO, OVER, AT_MOST, AT_LEAST = "ratio", "over", "at most", "at least"


def ratio(limit):
    """At most so many times the floor's."""
    return {"kind": RATIO, "limit": limit}


def over(limit):
    """At most so much more than the floor's."""
    return {"kind": OVER, "limit": limit}


def at_most(limit):
    return {"kind": AT_MOST, "limit": limit}


def at_least(limit):
    return {"kind": AT_LEAST, "limit": limit}


def figure(title, unit, values, goal=None, digits=1):
    """`values` are lists by contender, one value for each time that it was measured."""
    values = {name: [round(value, digits + 2) for value in taken] for name, taken in values.items() if taken}
    return {"title": title, "unit": unit, "digits": digits, "goal": goal, "values": values}


def by_contender(reports, of):
    values = {}
    for report in reports:
        values.setdefault(report["contender"], []).append(of(report))
    return values


def cpu_figure(title, unit, reports, goal=None):
    per = {"request": "sent", "chunk": "events"}[unit]
    return figure(title, f"CPU µs/{unit}", by_contender(reports, lambda report: report[f"cpu_us_per_{per}"]), goal)


def row(name, figures, reports=(), notes=()):
    return {
        "row": name,
        "figures": figures,
        "notes": list(notes),
        "errors": sum(report["errors"] for report in reports),
        "error_sample": next((report["error_sample"] for report in reports if report["error_sample"]), ""),
        "reports": list(reports),
    }


def median(shown, name):
    return statistics.median(shown["values"][name]) if name in shown["values"] else None


def half_spread(shown, name):
    return (max(shown["values"][name]) - min(shown["values"][name])) / 2


def to_floor(shown):
    """Sluice's CPU as a multiple of the floor's; of other figures the ratio says nothing."""
    floor, ours = median(shown, "floor"), median(shown, "sluice")
    return ours / floor if floor and ours is not None and shown["unit"].startswith("CPU µs/") else None


def verdict(shown):
    """Whether the goal is met; nothing without a goal, or where it cannot be told."""
    goal, floor, ours = shown["goal"], median(shown, "floor"), median(shown, "sluice")
    if goal is None or ours is None or (goal["kind"] in (RATIO, OVER) and floor is None):
        return None
    is_met = {
        RATIO: lambda: ours <= floor * goal["limit"],
        OVER: lambda: ours <= floor + goal["limit"],
        AT_MOST: lambda: ours <= goal["limit"],
        AT_LEAST: lambda: ours >= goal["limit"],
    }
    return is_met[goal["kind"]]()
