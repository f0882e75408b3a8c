"""The kustomize bases: every kubectl renders them alike, and what they configure is valid.

Their objects are looked at in `manifests`, with the chart's.
"""

import functools

import harness
import yaml

from deploy import objects, pods, tools
from deploy.helm import config_of
from deploy.outcome import Fail
from deploy.tools import run

HOME = harness.ROOT / "deploy/kustomize"
OVERLAYS = ["dev", "prod"]


@functools.cache
def text(kubectl, folder):
    return run([kubectl, "kustomize", HOME / folder])


@functools.cache
def rendered(overlay):
    """The objects of an overlay, as the newest kubectl renders them."""
    return [found for found in yaml.safe_load_all(text(tools.kubectls()[0], f"overlays/{overlay}")) if found]


def renders():
    newest, *others = tools.kubectls()
    for folder in ["base", *(f"overlays/{name}" for name in OVERLAYS)]:
        for kubectl in others:
            if text(kubectl, folder) != text(newest, folder):
                raise Fail(f"{tools.version(newest)} and {tools.version(kubectl)} differ about {folder}")


def configurations():
    for overlay in OVERLAYS:
        found = rendered(overlay)
        pods.checked(config_of(found), f"the overlay '{overlay}'")


def installable():
    """All in a namespace of its own, of one image version; and prod makes no Secret, so none with a placeholder."""
    for overlay in OVERLAYS:
        found = rendered(overlay)
        (namespace,) = (one["metadata"]["name"] for one in objects.of_kind(found, "Namespace"))
        for one in found:
            if one["kind"] != "Namespace" and one["metadata"].get("namespace") != namespace:
                raise Fail(f"overlay {overlay}: {objects.title(one)} is not in {namespace}")
        images = {container["image"] for _, _, pod in objects.pods(found) for container in objects.containers(pod)}
        if len(images) != 1 or ":" not in "".join(images):
            raise Fail(f"overlay {overlay}: the images are {sorted(images)}")
    if objects.of_kind(rendered("prod"), "Secret"):
        raise Fail("overlay prod makes a Secret")


def starts():
    """The dev overlay answers with its public key, run as its pod says."""
    with pods.started(rendered("dev")) as (_, api, _):
        headers = ["--header", "authorization: Bearer sluice-demo-key", "--header", "content-type: application/json"]
        asks = ["curl", "--silent", "--show-error", "--fail-with-body", *headers]
        said = run(
            [*asks, "--data", '{"model": "demo", "prompt": "Once", "max_tokens": 8}', f"http://{api}/v1/completions"]
        )
        if '"choices"' not in said:
            raise Fail(said)


CHECKS = [
    ("kubectl kustomize, the same from every kubectl", renders),
    ("every configuration passes sluice check", configurations),
    ("one namespace, one image, no placeholder Secret", installable),
    ("the dev overlay starts and answers", starts),
]
