"""The table, as text while it is measured and as Markdown afterwards."""

from bench import parts, rows

NAMES = ("bare", "floor", "nginx", "sluice")
LINE = "{:<42} {:<14}" + " {:>14}" * len(NAMES) + " {:>6}  {:<9} {:<6}"


def head(session):
    print(f"median of {session.runs} ± half of the spread")
    print(LINE.format("", "", *NAMES, "ratio", "goal", ""), flush=True)


def show(row):
    for shown in row["figures"]:
        print(LINE.format(shown["title"], shown["unit"], *cells(shown), *judged(shown)).rstrip(), flush=True)
    for note in row["notes"]:
        print(f"  {note}")
    if row["errors"]:
        print(f"  {row['errors']} errors: {row['error_sample']}")


def cells(shown):
    return [cell(shown, name) for name in NAMES]


def cell(shown, name):
    middle = rows.median(shown, name)
    if middle is None:
        return ""
    value = f"{middle:,.{shown['digits']}f}"
    one = len(shown["values"][name]) == 1
    return value if one else f"{value} ±{rows.half_spread(shown, name):,.{shown['digits']}f}"


def judged(shown):
    """The ratio to the floor, the goal, and whether it is met."""
    ratio, verdict = rows.to_floor(shown), rows.verdict(shown)
    said = {None: "", True: "met", False: "missed"}[verdict]
    return "" if ratio is None else f"{ratio:.2f}", goal(shown), said


def goal(shown):
    if not shown["goal"]:
        return ""
    limit = shown["goal"]["limit"]
    words = {
        rows.RATIO: f"≤ {limit:g} ×",
        rows.OVER: f"≤ floor + {limit:g}",
        rows.AT_MOST: f"≤ {limit:g}",
        rows.AT_LEAST: f"≥ {limit:,}",
    }
    return words[shown["goal"]["kind"]]


def markdown(found):
    """The table of kept figures. The line before says what they were taken on."""
    yield "| what | unit | bare | floor | nginx | Sluice | ratio | goal | |"
    yield "| --- | --- | ---: | ---: | ---: | ---: | ---: | --- | --- |"
    for row in found["rows"]:
        for shown in row["figures"]:
            yield "| " + " | ".join([shown["title"], shown["unit"], *cells(shown), *judged(shown)]) + " |"
    notes = [note for row in found["rows"] for note in row["notes"]] + list(parts.told(found["rows"]))
    if notes:
        yield ""
        yield from (f"- {note}" for note in notes)
