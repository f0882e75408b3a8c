"""What promtool does not know of deploy/prometheus: each alert has its runbook, its words and its two cases.

Prints what is wrong, one line each; exit 1 if anything is.
"""

import json
import pathlib
import re
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
SECTIONS = ["## Look first", "## Do", "## Safe to ignore"]
ANNOTATIONS = {"summary", "dashboard", "runbook"}


def load(name):
    return yaml.safe_load((DEPLOY / "prometheus" / name).read_text(encoding="utf-8"))


def boards():
    return [json.loads(file.read_text(encoding="utf-8")) for file in (ROOT / "dashboards").glob("*.json")]


def rules():
    return [rule for group in load("rules.yml")["groups"] for rule in group["rules"]]


def of_an_alert(rule):
    """What is wrong with one alert's words."""
    name, notes = rule["alert"], rule["annotations"]
    if rule["labels"].get("severity") not in ("page", "ticket"):
        yield "severity is neither page nor ticket"
    if set(notes) != ANNOTATIONS:
        yield f"annotations are not {sorted(ANNOTATIONS)}"
        return
    # A label's value is seldom longer than twenty characters.
    shown = re.sub(r"\{\{.*?\}\}", "x" * 20, notes["summary"])
    if len(shown) > 120:
        yield f"summary has {len(shown)} characters"
    if notes["runbook"] != f"deploy/runbooks/{name}.md":
        yield f"runbook is {notes['runbook']}"
    uids = [board["uid"] for board in boards()]
    if uids and notes["dashboard"].removeprefix("/d/") not in uids:
        yield f"there is no dashboard {notes['dashboard']}"


def of_the_cases(names):
    """Alerts that no case lets fire, or none keeps quiet."""
    fires, quiet = set(), set()
    for case in load("rules_test.yml")["tests"]:
        for test in case.get("alert_rule_test", []):
            (fires if test["exp_alerts"] else quiet).add(test["alertname"])
    for name in sorted(names):
        if name not in fires:
            yield f"{name}: no case lets it fire"
        if name not in quiet:
            yield f"{name}: no case keeps it quiet"


def of_the_runbooks(names):
    titles = {panel["title"] for board in boards() for panel in board["panels"]}
    pages = {page.stem: page.read_text(encoding="utf-8") for page in (DEPLOY / "runbooks").glob("*.md")}
    yield from (f"{name}: no runbook" for name in sorted(names - set(pages)))
    yield from (f"deploy/runbooks/{name}.md: no such alert" for name in sorted(set(pages) - names))
    for name, text in sorted(pages.items()):
        if not text.startswith(f"# {name}\n"):
            yield f"deploy/runbooks/{name}.md: does not begin with its name"
        if [line for line in text.splitlines() if line.startswith("## ")] != SECTIONS:
            yield f"deploy/runbooks/{name}.md: its sections are not {SECTIONS}"
        for link in re.findall(r"\]\(([^)]+)\)", text):
            if not (DEPLOY / "runbooks" / link).exists():
                yield f"deploy/runbooks/{name}.md: {link} leads nowhere"
        # Panels are named in italics, and nothing else is.
        for panel in re.findall(
            r"(?<!\*)\*([^*\n]+)\*(?!\*)", re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
        ):
            if titles and panel not in titles:
                yield f"deploy/runbooks/{name}.md: no dashboard has a panel '{panel}'"


def main():
    alerts = [rule for rule in rules() if "alert" in rule]
    names = {rule["alert"] for rule in alerts}
    wrong = [f"{rule['alert']}: {what}" for rule in alerts for what in of_an_alert(rule)]
    wrong += [*of_the_cases(names), *of_the_runbooks(names)]
    print("\n".join(wrong) or f"{len(alerts)} alerts of {len(names)} names, each with its runbook and its cases")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
