"""Every query of every dashboard, asked as Grafana would ask it: there is data, and no NaN.

With everything chosen there has to be data. With one value of each variable there may be none, but it is no error.
"""

import json
import math
import re

import harness

DASHBOARDS = harness.ROOT / "dashboards"
RUNBOOKS = harness.ROOT / "deploy/runbooks"
SCRAPE = 1  # seconds
STEP = 1

# Panels that may be empty, and why.
MAY_BE_EMPTY = {}


def walk(panels):
    """All panels, those inside of rows too."""
    for panel in panels:
        yield panel
        yield from walk(panel.get("panels", []))


def filled_in(query, seconds, chosen=None):
    """The query with Grafana's variables replaced: everything chosen if nothing else is, and Grafana's own windows."""
    values = {"__rate_interval": f"{4 * SCRAPE}s", "__interval": f"{STEP}s", "__range": f"{seconds}s"} | (chosen or {})
    return re.sub(r"\$\{?(\w+)(?::\w+)?\}?", lambda found: values.get(found[1], ".*"), query)


def of_a_query(prometheus, query, start, end, instant, chosen=None):
    """What is wrong with one query, or nothing."""
    query = filled_in(query, int(end - start), chosen)
    try:
        if instant:
            series = [[row["value"]] for row in prometheus.instant(query, end)]
        else:
            series = [row["values"] for row in prometheus.over(query, start, end, STEP)]
    except ValueError as error:
        return f"{error}: {query}"
    if not series and not chosen:
        return f"is empty: {query}"
    if any(not math.isfinite(float(value)) for values in series for _, value in values):
        return f"has NaN or infinity: {query}"
    return None


def of_a_variable(prometheus, query, start, end):
    """What is wrong with a variable's query, or nothing; and one of its values."""
    found = re.fullmatch(r"label_values\((.+), *(\w+)\)", query)
    if not found:
        return f"is no label_values: {query}", ""
    selector, label = filled_in(found[1], int(end - start)), found[2]
    names = prometheus.get(f"/api/v1/label/{label}/values", **{"match[]": selector, "start": start, "end": end})
    return (None, names[-1]) if names else (f"has no values: {query}", "")


def check(prometheus, start, end):
    """What is wrong with the dashboards; and how many queries they have."""
    wrong, asked = [], 0
    for file in sorted(DASHBOARDS.glob("*.json")):
        board, chosen = json.loads(file.read_text(encoding="utf-8")), {}
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                asked += 1
                fault, chosen[variable["name"]] = of_a_variable(prometheus, variable["query"]["query"], start, end)
                wrong += [f"{file.name}: ${variable['name']} {fault}"] if fault else []
        for panel in walk(board["panels"]):
            for target in panel.get("targets", []):
                asked += 1
                name, instant = (file.stem, panel["title"], target["refId"]), target.get("instant", False)
                for values in [None, chosen][name in MAY_BE_EMPTY :]:
                    if fault := of_a_query(prometheus, target["expr"], start, end, instant, values):
                        wrong.append(f"{file.name}: '{panel['title']}' {target['refId']} {fault}")
        for note in board["annotations"]["list"]:
            if "expr" in note:
                asked += 1
                fault = of_a_query(prometheus, note["expr"], start, end, False)
                wrong += [f"{file.name}: annotation '{note['name']}' {fault}"] if fault else []
    if not asked:
        wrong.append(f"there are no dashboards in {DASHBOARDS.relative_to(harness.ROOT)}")
    return wrong, asked


def check_runbooks(prometheus, end):
    """Queries of runbooks that Prometheus does not understand; and how many there are."""
    wrong, asked = [], 0
    for page in sorted(RUNBOOKS.glob("*.md")):
        for block in re.findall(r"```promql\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            # One query a line; a line that is indented deeper than its block goes on with the one before.
            lines = block.rstrip().splitlines()
            margin = min(len(line) - len(line.lstrip()) for line in lines)
            queries = re.split(r"\n(?=[^\s)])", "\n".join(line[margin:] for line in lines if line.strip()))
            for query in queries:
                asked += 1
                try:
                    prometheus.instant(query, end)
                except ValueError as error:
                    wrong.append(f"{page.name}: {error}: {query}")
                for name in re.findall(r"\bsluice_\w+", query):
                    family = f'{{__name__=~"{name}"}}'
                    if not prometheus.instant(f"last_over_time({family}[10m])", end):
                        wrong.append(f"{page.name}: there is no {name}")
    return wrong, asked
