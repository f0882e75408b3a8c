"""Where figures are kept: all of a run below target/, and those that the README shows in `figures.json`."""

import json
import pathlib
import time

from bench.builds import OUT

KEPT = pathlib.Path(__file__).resolve().parent / "figures.json"


def text(found):
    """JSON with each list of figures and each report on a line of its own, so that a change can be read."""
    lines = json.dumps(found, indent=1, ensure_ascii=False).splitlines()
    out, depth = [], 0
    for line in lines:
        inner = len(line) - len(line.lstrip())
        if depth and inner > depth:
            out[-1] += line.strip() + (" " if line.endswith(",") else "")
        elif depth and inner == depth:
            out[-1] = out[-1].rstrip() + line.strip()
            depth = 0
        else:
            out.append(line)
        if not depth and opens(line):
            depth = inner
    return "\n".join(out) + "\n"


def opens(line):
    """Whether what begins here goes on one line: the values of a figure, a report, a goal, a point."""
    bare = line.strip()
    return bare == "{" and len(line) - 1 >= 4 or bare.endswith(("[", "{")) and bare.split(":")[0] in INLINE


INLINE = ('"values"', '"goal"', '"machine"')


def write(part, found, keep):
    OUT.mkdir(parents=True, exist_ok=True)
    file = OUT / time.strftime(f"%Y%m%d-%H%M%S-{part}.json")
    file.write_text(text({part: found}), encoding="utf-8")
    print(f"every figure: {file.relative_to(OUT.parent.parent)}")
    if keep:
        kept = read() if KEPT.exists() else {}
        KEPT.write_text(text(dict(sorted((kept | {part: found}).items()))), encoding="utf-8")
        print(f"kept in tests/bench/{KEPT.name}; `tests/bench charts` and `table` renew what shows them")


def read():
    return json.loads(KEPT.read_text(encoding="utf-8"))
