"""Draws growth, one picture for each series, from the kept figures: always the same bytes of the same figures."""

import io
import math
import os
import pathlib
import statistics
import sys

import harness

from bench import figures

FOLDER = pathlib.Path(__file__).resolve().parent / "charts"
COLOURS = {"sluice": "#0969da", "floor": "#57606a"}
LABELS = {"sluice": "Sluice", "floor": "floor"}
INK, GRID = "#1f2328", "#d8dee4"
# Shown some 420 pixels wide, on pages of either colour: the ground is white, and letters are drawn as shapes.
STYLE = {
    "svg.hashsalt": "sluice",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 12,
    "axes.titlesize": 13,
    "axes.labelsize": 12,
    "legend.fontsize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
}


def draw_all():
    FOLDER.mkdir(exist_ok=True)
    pictures = drawn()
    for stale in set(FOLDER.glob("*.svg")) - set(pictures):
        stale.unlink()
    for file, picture in pictures.items():
        file.write_bytes(picture)
        print(file.relative_to(harness.ROOT))


def drawn():
    """Each chart's file and what it should hold."""
    with_matplotlib()
    series = figures.read()["growth"]["series"]
    return {FOLDER / f"{name}.svg": draw(each) for name, each in series.items()}


def with_matplotlib():
    """Goes on in the environment of the tests where this Python has none."""
    try:
        import matplotlib
    except ImportError:
        python = harness.ROOT / "target/venv/bin/python"
        if pathlib.Path(sys.executable) == python or not python.exists():
            sys.exit("charts need matplotlib, which `tests/run python` installs into target/venv")
        os.execv(python, [python, *sys.argv])
    matplotlib.use("svg")


def draw(series):
    from matplotlib import pyplot, rc_context

    with rc_context(STYLE):
        panels = series["panels"]
        sheet, axes = pyplot.subplots(len(panels), sharex=True, squeeze=False, figsize=(5.4, 4.4), layout="constrained")
        for axis, panel in zip(axes[:, 0], panels, strict=True):
            plot(axis, panel)
        if panels[0]["lines"].keys() != {"sluice"}:
            axes[0, 0].legend(frameon=False, loc="best")
        sheet.suptitle(series["title"], fontsize=12.5, fontweight="bold")
        axes[-1, 0].set_xlabel(series["axis"])
        out = io.BytesIO()
        sheet.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
        pyplot.close(sheet)
        # Some lines end in a space.
        return b"\n".join(line.rstrip() for line in out.getvalue().splitlines()) + b"\n"


def plot(axis, panel):
    from matplotlib.ticker import FuncFormatter, LogLocator

    for name in ("floor", "sluice"):
        points = [(x, values) for x, values in panel["lines"].get(name, []) if x]
        if points:
            line(axis, name, points)
        elif name in panel["lines"]:  # it has nothing that could grow
            level = statistics.median(panel["lines"][name][0][1])
            axis.axhline(level, color=COLOURS[name], linestyle="--", linewidth=1.6, label="floor, plain request")
    axis.set_xscale("log")
    if wide(panel):
        axis.set_yscale("log")
        axis.set_ylim(bottom=10 ** math.floor(math.log10(least(panel))))
        axis.yaxis.set_major_locator(LogLocator(numticks=6))
    else:
        axis.set_ylim(bottom=0, top=axis.get_ylim()[1] * 1.12)
    axis.xaxis.set_major_formatter(FuncFormatter(short))
    axis.yaxis.set_major_formatter(FuncFormatter(short))
    axis.minorticks_off()
    axis.set_ylabel(panel["unit"])
    axis.grid(color=GRID, linewidth=0.8)
    axis.set_axisbelow(True)


def line(axis, name, points):
    """The middles, with bars from the least to the most of what was taken."""
    xs, middles = [x for x, _ in points], [statistics.median(values) for _, values in points]
    below = [middle - min(values) for middle, (_, values) in zip(middles, points, strict=True)]
    above = [max(values) - middle for middle, (_, values) in zip(middles, points, strict=True)]
    style = {"color": COLOURS[name], "linewidth": 2, "marker": "o", "markersize": 5, "capsize": 3, "elinewidth": 1.2}
    axis.errorbar(xs, middles, yerr=[below, above], label=LABELS[name], **style)


def wide(panel):
    """Whether the figures reach over more than one power of ten."""
    most = max(value for line in panel["lines"].values() for _, values in line for value in values)
    return least(panel) > 0 and most / least(panel) > 20


def least(panel):
    return min(value for line in panel["lines"].values() for _, values in line for value in values)


def short(value, _):
    for size, sign in ((1_000_000, "M"), (1_000, "k")):
        if value >= size:
            return f"{value / size:g} {sign}"
    return f"{value:g}"
