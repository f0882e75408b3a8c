"""Series of points, and what shape they should have."""

import statistics

FLAT, LINEAR, AS_FLOOR, BELOW = "flat", "linear", "as the floor", "below"
# What is said to be flat may cost so much more at the far end: memory that no cache of the core holds is slower.
FLAT_LIMIT = 1.25
SLOPE_LIMIT = 1.2


def panel(title, unit, shape, limit, lines, digits=1):
    """`lines` are by contender, a list of `[x, values]` each."""
    lines = {
        name: [[x, [round(value, digits + 2) for value in values]] for x, values in line]
        for name, line in lines.items()
        if line
    }
    return {"title": title, "unit": unit, "digits": digits, "shape": shape, "limit": limit, "lines": lines}


def series(title, axis, panels, reports):
    return {"title": title, "axis": axis, "panels": panels, "reports": reports}


def lines(reports, x, of):
    """By contender, the values of its reports at each point."""
    found = {}
    for report in reports:
        found.setdefault(report["contender"], {}).setdefault(report[x], []).append(of(report))
    return {name: sorted([at, values] for at, values in line.items()) for name, line in found.items()}


def ends(panel, name):
    """The first and the last point of a line: where, and how much in the middle."""
    line = panel["lines"].get(name, [])
    points = [(x, statistics.median(values)) for x, values in line]
    return (points[0], points[-1]) if len(points) > 1 else None


def slope(panel, name):
    (near, little), (far, much) = ends(panel, name)
    return (much - little) / (far - near)


def growth(panel, name):
    (_, little), (_, much) = ends(panel, name)
    return much / little


def found(panel):
    """What came out, what it should be, and whether it is; nothing where nothing is asked, or one point was taken."""
    limit = panel["limit"]
    if limit is None or not ends(panel, "sluice"):
        return "", "", None
    _, (_, much) = ends(panel, "sluice")
    if panel["shape"] == FLAT:
        # A short stream bears its request, so where it is cheapest need not be where it begins.
        little = min(statistics.median(values) for _, values in panel["lines"]["sluice"])
        return f"{much / little:.2f} × the least", f"flat: ≤ {limit:g} × the least", much <= limit * little
    if panel["shape"] == BELOW:
        return f"{much:.1f}", f"≤ {limit:g}", much <= limit
    if panel["shape"] == AS_FLOOR:
        grown = growth(panel, "sluice") / growth(panel, "floor")
        return f"{grown:.2f} × the floor's growth", f"≤ {limit:g} × the floor's growth", grown <= limit
    steep = slope(panel, "sluice") / slope(panel, "floor")
    return f"{steep:.2f} × the floor's slope", f"linear: ≤ {limit:g} × the floor's slope", steep <= limit


def told(series):
    """The series as text."""
    yield f"\n{series['title']}"
    for panel in series["panels"]:
        xs = sorted({x for line in panel["lines"].values() for x, _ in line})
        yield f"  {panel['unit']:<24}" + "".join(f"{x:>16,}" for x in xs)
        for name, line in panel["lines"].items():
            cells = {x: cell(values, panel["digits"]) for x, values in line}
            yield f"  {name:<24}" + "".join(f"{cells.get(x, ''):>16}" for x in xs)
        came, wanted, is_met = found(panel)
        if came:
            yield f"  {came}; {wanted}: {'met' if is_met else 'missed'}"


def cell(values, digits):
    middle = f"{statistics.median(values):,.{digits}f}"
    return middle if len(values) == 1 else f"{middle} ±{(max(values) - min(values)) / 2:,.{digits}f}"


def markdown(growth):
    yield "| what grows | from | to | figure | floor | Sluice | found | should be | |"
    yield "| --- | ---: | ---: | --- | ---: | ---: | --- | --- | --- |"
    for each in growth["series"].values():
        for panel in each["panels"]:
            if not ends(panel, "sluice"):
                continue
            (near, _), (far, _) = ends(panel, "sluice")
            came, wanted, is_met = found(panel)
            cells = [each["axis"], f"{near:,}", f"{far:,}", panel["unit"], way(panel, "floor"), way(panel, "sluice")]
            verdict = {None: "", True: "met", False: "missed"}[is_met]
            yield "| " + " | ".join([*cells, came, wanted, verdict]) + " |"


def way(panel, name):
    """From where to where a line goes."""
    line = panel["lines"].get(name)
    if not line:
        return ""
    middles = [f"{statistics.median(values):,.{panel['digits']}f}" for _, values in line]
    return middles[0] if len(middles) == 1 else f"{middles[0]} … {middles[-1]}"
