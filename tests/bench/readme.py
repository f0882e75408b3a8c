"""The README's part about performance: made of the kept figures, and checked against them."""

import harness

from bench import charts, figures, machine, shapes, table

README = harness.ROOT / "README.md"
BEGIN, END = "<!-- bench:begin -->\n", "<!-- bench:end -->\n"
COLUMNS = 2


def write():
    before, _, after = parts()
    README.write_text(before + section() + after, encoding="utf-8")
    print(section(), end="")


def check():
    """Names what is not as the figures say; 1 if anything is."""
    wrong = [] if parts()[1] == section() else ["README.md: not the kept figures' table; `python3 tests/bench table`"]
    pictures = charts.drawn()
    for file, picture in pictures.items():
        if not file.exists() or file.read_bytes() != picture:
            wrong.append(f"{file.relative_to(harness.ROOT)}: not what is drawn; `python3 tests/bench charts`")
    for stale in sorted(set(charts.FOLDER.glob("*")) - set(pictures)):
        wrong.append(f"{stale.relative_to(harness.ROOT)}: no series of that name")
    print("\n".join(wrong) or f"the README's tables and {len(pictures)} charts are what the kept figures give")
    return bool(wrong)


def parts():
    before, begin, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    inner, end, after = rest.partition(END)
    return before + begin, inner, end + after


def section():
    return "\n".join(lines()) + "\n"


def lines():
    found = figures.read()
    for part in ("table", "growth"):
        if part in found:
            yield from {"table": compared, "growth": grown}[part](found[part])


def compared(found):
    yield f"Measured on {machine.in_words(found['machine'])}."
    yield ""
    yield f"{how_often(found)}, ± half of the spread. CPU is user and system time of a contender's processes."
    yield ""
    yield from table.markdown(found)


def grown(found):
    yield ""
    place = found["machine"]
    yield f"Growth, at commit {place['commit']}, {place['date']}, on {place['cpu']}. {how_often(found)};"
    yield "in the charts, bars reach from the least to the most."
    yield ""
    yield from shapes.markdown(found)
    yield ""
    pictures = [
        f"![{each['title']}]({(charts.FOLDER / name).relative_to(harness.ROOT)}.svg)"
        for name, each in found["series"].items()
    ]
    yield "| " + " | ".join([""] * COLUMNS) + " |"
    yield "| " + " | ".join(["---"] * COLUMNS) + " |"
    for at in range(0, len(pictures), COLUMNS):
        row = pictures[at : at + COLUMNS]
        yield "| " + " | ".join(row + [""] * (COLUMNS - len(row))) + " |"


def how_often(found):
    runs, seconds = found["runs"], found["seconds"]
    if runs == 1:
        return f"Each figure is of a single run of {seconds:g} s or more"
    return f"Each figure is the median of { ({2: 'two', 3: 'three'}.get(runs, runs)) } runs of {seconds:g} s or more"
