"""What the chart comes to for a set of values, as Helm renders it."""

import contextlib
import functools
import tempfile
from pathlib import Path

import harness
import yaml

from deploy import tools
from deploy.outcome import Fail, Skip
from deploy.tools import run

CHART = harness.ROOT / "deploy/helm/sluice"
HERE = Path(__file__).parent
RELEASE, NAMESPACE = "sluice", "llm"
SETS = {
    "default": None,
    "minimum": HERE / "values/minimum.yaml",
    "everything": HERE / "values/everything.yaml",
    "production": CHART / "examples/production.yaml",
}


def arguments(values):
    return [] if values is None else ["--values", values]


@functools.cache
def render(helm, values, chart=CHART, release=RELEASE):
    """What `helm template` says, whole."""
    return run([helm, "template", release, chart, "--namespace", NAMESPACE, *arguments(values)])


@functools.cache
def documents(name, release=RELEASE):
    """The objects of one set of values, as the newest Helm renders them."""
    return [found for found in yaml.safe_load_all(render(tools.helms()[0], SETS[name], release=release)) if found]


def notes(values):
    """NOTES.txt. Only a Helm from 4 on tells it without a cluster."""
    helm = tools.helms()[0]
    if "Helm 3" in tools.version(helm):
        raise Skip(f"{tools.version(helm)} tells notes only where there is a cluster")
    said = run([helm, "install", RELEASE, CHART, "--namespace", NAMESPACE, "--dry-run=client", *arguments(values)])
    return said.partition("\nNOTES:\n")[2]


def one(found, kind, suffix=""):
    """The one object of a kind whose name ends like this."""
    fits = [
        document for document in found if document["kind"] == kind and document["metadata"]["name"].endswith(suffix)
    ]
    if len(fits) != 1:
        raise Fail(f"{len(fits)} objects of kind {kind} and name …{suffix}, not one")
    return fits[0]


def config_of(found):
    """The sluice.yaml of the gateway itself."""
    texts = [
        document["data"]["sluice.yaml"]
        for document in found
        if document["kind"] == "ConfigMap"
        and "sluice.yaml" in document["data"]
        and "helm.sh/hook" not in document["metadata"].get("annotations", {})
    ]
    if len(texts) != 1:
        raise Fail(f"{len(texts)} ConfigMaps with a sluice.yaml, not one")
    return texts[0]


@contextlib.contextmanager
def values_file(text):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "values.yaml")
        path.write_text(text, encoding="utf-8")
        yield path
