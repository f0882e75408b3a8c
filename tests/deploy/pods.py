"""What the pods of a release do: their configurations are checked, and the default one is started as its pod says.

There is no cluster here, so a container's command runs on this machine, with this machine's addresses and paths.
"""

import contextlib
import functools
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import harness
import yaml

from deploy.helm import SETS, config_of, documents, notes, one
from deploy.outcome import Fail, Skip
from deploy.tools import run

PATIENCE = 30  # seconds; what the system does not tell of is looked for every ten


def secrets_of(text, folder):
    """Puts a file where `${file:…}` and TLS look for one, below `folder`; the text with these, and its environment."""
    text = text.replace("/run/secrets/", f"{folder}/secrets/")
    for path in re.findall(r"\$\{file:([^}]+)\}", text):
        file = Path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("redis://127.0.0.1:1\n" if "redis" in file.parts[-2] + file.name else f"secret-{file.name}\n")
        file.chmod(0o640)
    if pair := re.search(r"cert: (\S+)\s+key: (\S+)", text):
        certificate(*pair.groups())
    return text, {name: f"of-{name.lower()}" for name in re.findall(r"\$\{([A-Z_]+)\}", text)}


def certificate(cert, key):
    Path(cert).parent.mkdir(parents=True, exist_ok=True)
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    if not shutil.which("openssl"):
        raise Skip("no openssl, for a certificate")
    run(["openssl", "req", "-x509", *kind, *subject, "-keyout", key, "-out", cert])


def binary():
    if not harness.SLUICE.exists():
        raise Fail(f"{harness.SLUICE} is not built")
    return harness.SLUICE


def checked(text, where):
    """`sluice check --strict` with every secret in its place."""
    with tempfile.TemporaryDirectory() as folder:
        text, variables = secrets_of(text, folder)
        path = Path(folder, "sluice.yaml")
        path.write_text(text, encoding="utf-8")
        try:
            run([binary(), "check", "--strict", path], env=harness.clean_env(**variables))
        except Fail as wrong:
            raise Fail(f"the configuration of {where}: {wrong}") from None


def configurations():
    for name in SETS:
        found = documents(name)
        text = config_of(found)
        checked(text, f"the set '{name}'")
        if name == "minimum":
            continue
        if one(found, "ConfigMap", "-preflight")["data"]["sluice.yaml"] != text:
            raise Fail(f"the preflight of the set '{name}' looks at another configuration than what is installed")


def container(document, name):
    template = document["spec"].get("template", document)["spec"]
    every = template["containers"] + template.get("initContainers", [])
    return next(found for found in every if found["name"] == name)


def words(found, replaced):
    """A container's command, with its variables, and with this machine's program, addresses and paths."""
    if found["command"] not in (["/sluice"], ["curl"]):
        raise Fail(f"no image has {found['command']}")
    command = found["args"]
    for variable in found.get("env", []):
        command = [word.replace(f"$({variable['name']})", variable.get("value", "")) for word in command]
    for there, here in replaced.items():
        command = [word.replace(there, here) for word in command]
    return [binary() if found["command"] == ["/sluice"] else "curl", *command]


@contextlib.contextmanager
def started(found):
    """Mock and gateway as the objects of a release start them; yields what stands here for what is there,
    and both addresses."""
    pod = one(found, "Deployment")
    api, admin, mock = (f"127.0.0.1:{harness.free_port()}" for _ in range(3))
    with tempfile.TemporaryDirectory() as folder:
        listeners = {"0.0.0.0:4000": api, "0.0.0.0:4001": admin, "127.0.0.1:4010": mock}
        folders = {"/etc/sluice/": f"{folder}/etc/", "/var/lib/sluice": f"{folder}/state"}
        services = {"http://sluice:80/": f"http://{api}/", "sluice-admin:4001": admin.replace("127.0.0.1", "localhost")}
        text, _ = secrets_of(config_of(found), folder)
        for there, here in (listeners | folders).items():
            text = text.replace(there, here)
        for name in ("etc", "state"):
            Path(folder, name).mkdir()
        projected(Path(folder, "etc"), text)
        here = listeners | folders | services
        mock_ready = functools.partial(harness.listens, mock)
        ready = functools.partial(harness.answers, f"http://{admin}{probe(pod, 'readinessProbe')}")
        quiet = {"stdout": subprocess.DEVNULL, "cwd": folder}
        with harness.running(words(container(pod, "mock"), here), mock_ready, **quiet):
            with harness.running(words(container(pod, "sluice"), here), ready, **quiet):
                yield here, api, admin


def projected(folder, text):
    """A ConfigMap as a kubelet lays it out, and changes it: all at once, by a link to another folder."""
    fresh = Path(tempfile.mkdtemp(prefix="..", dir=folder))
    (fresh / "sluice.yaml").write_text(text, encoding="utf-8")
    (folder / "..new").symlink_to(fresh.name)
    (folder / "..new").rename(folder / "..data")
    if not (folder / "sluice.yaml").is_symlink():
        (folder / "sluice.yaml").symlink_to("..data/sluice.yaml")


def probe(document, name):
    return container(document, "sluice")[name]["httpGet"]["path"]


def default_release():
    """As installed: probes answer, the notes' commands work as they are printed, and so do the pods of `helm test`."""
    found, said = documents("default"), notes(None)
    with started(found) as (here, api, admin):
        pod = one(found, "Deployment")
        for name in ("startupProbe", "livenessProbe", "readinessProbe"):
            with urllib.request.urlopen(f"http://{admin}{probe(pod, name)}", timeout=5) as answer:
                answer.read()
        answer = json.loads(of_the_notes(said, "/v1/completions", api))
        if not answer["choices"][0]["text"]:
            raise Fail(f"the notes' curl is answered with {answer}")
        status = json.loads(of_the_notes(said, "/status", admin, TOKEN="secret-token"))
        if "targets" not in json.dumps(status):
            raise Fail(f"the notes' /status is answered with {status}")
        run(words(container(one(found, "Pod", "-ready"), "health"), here))
        asks = words(container(one(found, "Pod", "-completion"), "curl"), here)
        if not json.loads(run(asks))["choices"]:
            raise Fail("the completion of `helm test` has no choices")
        # These have to be able to fail: with a wrong key, and with nobody there.
        stranger = [word.replace("sluice-demo-key", "sk-sluice-other") for word in asks]
        if "401" not in refused(stranger):
            raise Fail("`helm test` passes with a key that nobody has")
    refused(words(container(one(found, "Pod", "-ready"), "health"), here))
    refused(asks)


def taken_up():
    """With `reload: watch` a ConfigMap that changes is in force soon after, without a signal or a call."""
    with started(documents("default")) as (here, api, _):
        etc = Path(here["/etc/sluice/"])
        text = (etc / "sluice.yaml").read_text(encoding="utf-8")
        asked = urllib.request.Request(f"http://{api}/v1/models", headers={"authorization": "Bearer sluice-demo-key"})

        def names():
            with urllib.request.urlopen(asked, timeout=5) as answer:
                return [model["id"] for model in json.load(answer)["data"]]

        if names() != ["demo"]:
            raise Fail(f"there are {names()}, not the demo alone")
        config = yaml.safe_load(text)
        config["models"][0]["aliases"] = ["again"]
        config["keys"][0]["models"].append("again")
        projected(etc, yaml.safe_dump(config))
        deadline = time.monotonic() + PATIENCE
        while "again" not in names():
            if time.monotonic() > deadline:
                raise Fail(f"{PATIENCE} s after the ConfigMap changed there are still {names()} alone")
            time.sleep(0.05)


def of_the_notes(said, path, address, **variables):
    """Runs the notes' curl for a path through a shell, as printed but for the address."""
    line = next((line.strip() for line in said.splitlines() if line.strip().startswith("curl ") and path in line), None)
    if line is None:
        raise Fail(f"the notes have no curl for {path}:\n{said}")
    return run(["bash", "-c", re.sub(r"127\.0\.0\.1:\d+", address, line)], env=os.environ | variables)


def refused(command):
    """What a command says that has to fail."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode == 0:
        raise Fail(f"{' '.join(map(str, command))}: exit 0, although it cannot be")
    return done.stdout + done.stderr


def demo_key():
    """The demo's key is public: it is to open the mock and nothing else, whatever stands beside it."""
    config = yaml.safe_load(config_of(documents("everything")))
    (entry,) = (key for key in config["keys"] if key["name"] == "demo")
    (model,) = (model for model in config["models"] if model["name"] == "demo")
    (provider,) = (provider for provider in config["providers"] if provider["name"] == "demo")
    if entry["models"] != ["demo"] or [target["provider"] for target in model["targets"]] != ["demo"]:
        raise Fail(f"the demo's key reaches more than the demo: {entry}, {model}")
    if not provider["base_url"].startswith("http://127.0.0.1:"):
        raise Fail(f"the demo's upstream is not in the pod: {provider}")
    if "demo" in json.dumps(yaml.safe_load(config_of(documents("production")))):
        raise Fail("demo.enabled: false leaves something of the demo behind")


def preflight():
    """Its command passes on what is installed, and stops what is not valid."""
    found = documents("default")
    job = container(one(found, "Job", "-preflight"), "check")
    with tempfile.TemporaryDirectory() as folder:
        text, _ = secrets_of(config_of(found), folder)
        path = Path(folder, "sluice.yaml")
        path.write_text(text, encoding="utf-8")
        command = words(job, {"/etc/sluice/sluice.yaml": str(path)})
        run(command)
        path.write_text(text + "modells: []\n", encoding="utf-8")
        if "modells" not in refused(command):
            raise Fail("the preflight does not say what is wrong with a configuration")


CHECKS = [
    ("every configuration passes sluice check", configurations),
    ("the default release starts, its notes and helm test work", default_release),
    ("a ConfigMap that changes is taken up", taken_up),
    ("the demo's key opens the demo alone", demo_key),
    ("the preflight stops a wrong configuration", preflight),
]
