"""The Helm chart, read by real Helms: it lints, packs, and renders what the project has.

Its values are in `refusals`, what its pods do in `pods`, its objects among `manifests`.
"""

import json
import re
import tarfile
import tempfile
import tomllib
from pathlib import Path

import harness
import yaml

from deploy import pods, refusals, tools
from deploy.helm import CHART, NAMESPACE, RELEASE, SETS, arguments, config_of, documents, one, render, values_file
from deploy.outcome import Fail
from deploy.tools import run

# The admin token is drawn anew each time.
RANDOM = re.compile(r"^  (token|admin\.token): [A-Za-z0-9+/=]{20,}$", re.MULTILINE)


def lint():
    for helm in tools.helms():
        for values in SETS.values():
            run([helm, "lint", "--strict", CHART, *arguments(values)])


def same_from_every_helm():
    """Blank lines apart, and the token that is drawn anew each time."""
    newest, *others = tools.helms()

    def plain(helm, values):
        text = RANDOM.sub("", render(helm, values))
        return sorted(json.dumps(found, sort_keys=True) for found in yaml.safe_load_all(text) if found)

    for helm in others:
        for name, values in SETS.items():
            if plain(newest, values) != plain(helm, values):
                raise Fail(f"{tools.version(newest)} and {tools.version(helm)} differ about the set '{name}'")


def package():
    """A packaged chart has the dashboards and rules as files, where the folder has links, and renders the same."""
    values = SETS["production"]
    for helm in tools.helms():
        with tempfile.TemporaryDirectory() as folder:
            run([helm, "package", CHART, "--destination", folder])
            archive = next(Path(folder).glob("sluice-*.tgz"))
            with tarfile.open(archive) as packed:
                members = {member.name: member for member in packed.getmembers()}
            files = ["rules.yml", *(f"dashboards/{board.name}" for board in boards())]
            missing = [
                name for name in files if not (f"sluice/{name}" in members and members[f"sluice/{name}"].isfile())
            ]
            pictures = [name for name in members if name.endswith(".png")]
            if missing or pictures:
                raise Fail(f"{tools.version(helm)} packs without {missing}, and with {pictures}")
            packed = run([helm, "template", RELEASE, archive, "--namespace", NAMESPACE, *arguments(values)])
        if packed != render(helm, values):
            raise Fail(f"{tools.version(helm)} renders a packaged chart otherwise than its folder")


def boards():
    found = sorted((harness.ROOT / "dashboards").glob("*.json"))
    if not found:
        raise Fail("no dashboards")
    return found


def dashboards_and_rules():
    """The chart has no copy of its own that could differ: what is rendered is what the project has."""
    found = documents("production")
    for board in boards():
        rendered = one(found, "ConfigMap", f"-{board.stem}")["data"][f"sluice-{board.name}"]
        if rendered != board.read_text(encoding="utf-8"):
            raise Fail(f"the ConfigMap of {board.name} is not dashboards/{board.name}")
    rules = yaml.safe_load((harness.ROOT / "deploy/prometheus/rules.yml").read_text(encoding="utf-8"))
    if one(found, "PrometheusRule")["spec"] != rules:
        raise Fail("the PrometheusRule is not deploy/prometheus/rules.yml")
    # With another job, the alerts that know it by name follow; nothing else changes.
    other = json.dumps(one(documents("everything"), "PrometheusRule")["spec"])
    if 'job=\\"sluice-eu\\"' not in other or 'job=\\"sluice\\"' in other or '"job": "sluice"' in other:
        raise Fail("serviceMonitor.job does not reach the rules")
    if json.loads(other.replace("sluice-eu", "sluice")) != rules:
        raise Fail("serviceMonitor.job changes more of the rules than the job")


def version():
    """The chart and the overlays install the version that this is."""
    cargo = tomllib.loads((harness.ROOT / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]["package"]["version"]
    said = {"Chart.yaml": yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))["appVersion"]}
    for file in (harness.ROOT / "deploy/kustomize/overlays").glob("*/kustomization.yaml"):
        said[file.parent.name] = yaml.safe_load(file.read_text(encoding="utf-8"))["images"][0]["newTag"]
    if set(said.values()) != {cargo}:
        raise Fail(f"this is {cargo}, and they say {said}")


def reload():
    """By default a change of the configuration leaves the pods as they are; with `restart` it replaces them."""
    change = "config: {cache: {mode: seeded}}\n"
    annotated = "podAnnotations: {team: platform}\n"
    for values, restarts in (("reload: watch\n", False), ("reload: restart\n", True)):
        pods = []
        for text in (values + annotated, values + annotated + change):
            with values_file(text) as path:
                found = list(yaml.safe_load_all(render(tools.helms()[0], path)))
            pods.append(one(found, "Deployment")["spec"]["template"])
        if (pods[0] != pods[1]) != restarts:
            raise Fail(f"{values.strip()}: another configuration {'keeps' if restarts else 'replaces'} the pods")


def replicas():
    """Whatever Redis is named, and wherever: a replica that is alone with its limits knows how many there are."""
    for text, wanted in [
        ("redis: {url: redis://a}\nreplicaCount: 4\n", 4),
        ('config: {redis: {mode: sentinel, urls: ["redis://a"]}}\nautoscaling: {enabled: true, minReplicas: 3}\n', 3),
        ('config: {redis: {urls: ["redis://a"], replicas: 7}}\n', 7),
    ]:
        with values_file(text) as path:
            found = list(yaml.safe_load_all(render(tools.helms()[0], path)))
        redis = yaml.safe_load(config_of([document for document in found if document]))["redis"]
        if redis.get("replicas") != wanted or redis["urls"] != ["redis://a"]:
            raise Fail(f"not {wanted} replicas, but {redis}, of {text}")


CHECKS = [
    ("real Helms lint it", lint),
    ("they render the same", same_from_every_helm),
    ("they pack all its files", package),
    ("dashboards and rules are the project's", dashboards_and_rules),
    ("chart and overlays have the version of this", version),
    ("watch keeps the pods, restart replaces them", reload),
    ("with Redis a replica knows how many there are", replicas),
    *refusals.CHECKS,
    *pods.CHECKS,
]
