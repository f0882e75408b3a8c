"""The image and the compose files: read by their linters, held to our rules, built where an engine answers."""

import fnmatch
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import yaml

from deploy.outcome import DEPLOY, ROOT, Fail, Skip, run, tool

DOCKER = DEPLOY / "docker"
FILES = [DOCKER / "compose.yaml", DOCKER / "compose.dev.yaml"]
UNITS = {"s": 1, "m": 60}
# Who listens for nobody and so has nothing that can be asked.
WITHOUT_HEALTH = {"load"}


def instructions():
    """The Dockerfile's instructions as pairs of a word and the rest, continued lines joined."""
    text = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [tuple(line.split(maxsplit=1)) for line in joined.splitlines()]


def last_stage():
    """The instructions of the image itself, the last of each word."""
    made = instructions()
    start = max(index for index, (word, _) in enumerate(made) if word == "FROM")
    return dict(made[start:])


def compose():
    """compose.yaml with its merge keys resolved."""
    return yaml.safe_load(FILES[0].read_text(encoding="utf-8"))


def seconds(text):
    return int(text[:-1]) * UNITS[text[-1]]


def dockerfile_is_clean():
    run(tool("hadolint"), "--failure-threshold", "style", DOCKER / "Dockerfile")


def image_is_hardened():
    image, text = last_stage(), (ROOT / "Cargo.toml").read_text(encoding="utf-8")
    assert image["USER"] == "65532:65532", f"USER {image['USER']}"
    assert "SHELL" not in image and "RUN" not in image, "the image has no shell to run anything"
    for word in ("ENTRYPOINT", "CMD"):
        assert json.loads(image[word]), f"{word} in exec form"
    assert json.loads(image["VOLUME"]) == ["/var/lib/sluice"], image["VOLUME"]
    assert health_command() == ["/sluice", "health"], image["HEALTHCHECK"]
    version = re.search(r'^version = "(.+)"', text, re.MULTILINE)[1]
    assert ("ARG", f"SLUICE_VERSION={version}") in instructions(), f"the version is {version}"
    rust = re.search(r'^rust-version = "(.+)"', text, re.MULTILINE)[1]
    assert any(word == "ARG" and f":{rust}-" in rest for word, rest in instructions()), f"rust-version is {rust}"


def health_command():
    return json.loads(last_stage()["HEALTHCHECK"].partition(" CMD ")[2])


def ignored():
    """The lines of .dockerignore, as pairs of a pattern and whether it lets in."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    return [(line.removeprefix("!"), line.startswith("!")) for line in lines if line and not line.startswith("#")]


def in_context(path, patterns):
    """Whether a file gets into the build, as Docker reads .dockerignore: the last line that fits decides."""
    chosen = True
    for pattern, lets_in in patterns:
        parents = [path, *path.parents][:-1]
        deep = pattern.removeprefix("**/")
        if any(
            fnmatch.fnmatchcase(str(parent), pattern) or (deep != pattern and fnmatch.fnmatchcase(parent.name, deep))
            for parent in parents
        ):
            chosen = lets_in
    return chosen


def context_is_a_workspace():
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard").splitlines()
    patterns = ignored()
    with tempfile.TemporaryDirectory() as folder:
        for name in map(pathlib.PurePosixPath, listed):
            if in_context(name, patterns) and (ROOT / name).is_file():
                (goal := pathlib.Path(folder, name)).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, goal)
        run("cargo", "metadata", "--locked", "--offline", "--format-version", "1", "--no-deps", cwd=folder)
        for source in pathlib.Path(folder, "crates").rglob("*.rs"):
            for named in re.findall(r'include_(?:str|bytes)!\("([^"]+)"\)', source.read_text(encoding="utf-8")):
                tests = source.name.endswith("_tests.rs") or "tests" in source.parts
                assert tests or (source.parent / named).exists(), f"{source.relative_to(folder)}: {named} is left out"
        for copied in [rest.split()[:-1] for word, rest in instructions() if word == "COPY" and "--from" not in rest]:
            missing = [name for name in copied if not pathlib.Path(folder, name).exists()]
            assert not missing, f"COPY {missing}: left out"
        strangers = [
            name for name in ("target", ".git", "deploy", "sluice.yaml") if pathlib.Path(folder, name).exists()
        ]
        assert not strangers, f"{strangers} have no business in the build"


def compose_is_valid():
    run(tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", *FILES)


def compose_is_read_by_compose():
    docker = tool("docker")
    if subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        raise Skip("docker has no compose here")
    both = [part for file in FILES for part in ("-f", file)]
    for files in (both[:2], both):
        run(docker, "compose", *files, "--profile", "demo", "config", "--quiet")


def compose_needs_no_env():
    for file in FILES:
        bare = re.findall(r"(?<!\$)\$(?:\{\w+(?::?\?[^}]*)?\}|\w+)", file.read_text(encoding="utf-8"))
        assert not bare, f"{file.name}: {bare} have no default"


def services_are_hardened():
    drain = re.search(r"drain: (\w+)", (ROOT / "config/default.yaml").read_text(encoding="utf-8"))[1]
    file = compose()
    services, wrong = file["services"], []
    for name, service in services.items():
        health = "healthcheck" in service or service["image"].startswith("sluice:")
        limits = service.get("deploy", {}).get("resources", {}).get("limits", {})
        for holds, what in [
            (service.get("read_only") is True, "its root can be written to"),
            (service.get("cap_drop") == ["ALL"], "it keeps capabilities"),
            (service.get("security_opt") == ["no-new-privileges:true"], "it may gain privileges"),
            ({"cpus", "memory", "pids"} <= limits.keys(), "it has no limits"),
            (not {"privileged", "network_mode", "cap_add", "pid"} & service.keys(), "it has what it must not"),
            (health or name in WITHOUT_HEALTH, "it has no health check"),
            (re.search(r":[^/]+$", service["image"]) and ":latest" not in service["image"], "its image has no tag"),
            (all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), "a port is not on loopback"),
        ]:
            wrong += [] if holds else [f"{name}: {what}"]
        for other, how in service.get("depends_on", {}).items():
            if how != {"condition": "service_healthy"} or other not in services or other in WITHOUT_HEALTH:
                wrong.append(f"{name}: does not wait for {other} to be healthy")
    if seconds(services["gateway"]["stop_grace_period"]) <= seconds(drain):
        wrong.append(f"gateway: stop_grace_period is not longer than the drain of {drain}")
    redis = " ".join(services["redis"]["command"])
    if not re.search(r"--appendonly no .*--maxmemory \w+ --maxmemory-policy allkeys-lru", redis):
        wrong.append(f"redis: {redis}")
    assert not wrong, "\n".join(wrong)


def mounts_are_there():
    declared, wrong = compose().get("volumes", {}), []
    for file in FILES:
        for name, service in yaml.safe_load(file.read_text(encoding="utf-8"))["services"].items():
            for mount in service.get("volumes", []):
                source = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", mount).split(":")[0]
                if not source.startswith("."):
                    wrong += [] if source in declared else [f"{name}: no volume {source}"]
                elif not (DOCKER / source).exists():
                    wrong.append(f"{name}: {source} is not there")
                elif not mount.endswith(":ro"):
                    wrong.append(f"{name}: {source} can be written to")
    grafana = compose()["services"]["grafana"]
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    provided = (DEPLOY / "grafana/provisioning/dashboards/sluice.yaml").read_text(encoding="utf-8")
    folder, _, board = home.rpartition("/")
    if f"path: {folder}\n" not in provided or f"../../dashboards:{folder}:ro" not in grafana["volumes"]:
        wrong.append(f"grafana: dashboards are not provided from {folder}")
    if not (ROOT / "dashboards" / board).exists():
        wrong.append(f"grafana: its home {board} is not there")
    assert not wrong, "\n".join(wrong)


def names_resolve():
    """Every host that a configuration asks for is a service of the set, at a port where it listens."""
    services = compose()["services"]
    listens = {"gateway": {4000, 4001}, "mock": {4010}, "redis": {6379}, "prometheus": {9090}}
    for file in ("docker/sluice.yaml", "docker/prometheus.yml", "grafana/provisioning/datasources/prometheus.yaml"):
        text = re.sub(r"#.*", "", (DEPLOY / file).read_text(encoding="utf-8"))
        found = re.findall(r"(?:://|[\"'])([a-z][a-z.]*):(\d+)", text)
        assert found, f"{file} names nobody"
        for host, port in found:
            assert host in services and int(port) in listens[host], f"{file}: nobody is {host}:{port}"


def pin_writes_digests():
    """With a docker that answers a digest, both files name it, once, however often it is run."""
    image = r"(?:rust:1|cc-debian12:nonroot|redis:7|prometheus:v2|grafana:12|python:3)"
    with tempfile.TemporaryDirectory() as folder:
        home = pathlib.Path(folder, "docker")
        shutil.copytree(DOCKER, home)
        stub = pathlib.Path(folder, "bin/docker")
        stub.parent.mkdir()
        for digest in ("sha256:" + "a" * 64, "sha256:" + "b" * 64):
            stub.write_text(f'#!/bin/sh\n[ "$1 $2 $3" = "buildx imagetools inspect" ] && echo {digest}\n')
            stub.chmod(0o755)
            run(home / "pin", env=os.environ | {"PATH": f"{stub.parent}:{os.environ['PATH']}"})
        text = "".join((home / name).read_text(encoding="utf-8") for name in ("Dockerfile", "compose.yaml"))
        pinned = re.findall(rf"{image}[^\s@]*@{digest}$", text, re.MULTILINE)
        assert len(pinned) == 6 and text.count("@sha256:") == 6, f"pinned: {pinned}"
        run(tool("hadolint"), home / "Dockerfile")
        run(tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", home / "compose.yaml")


def image_is_built():
    docker = tool("docker")
    if subprocess.run([docker, "info", "--format", "{{.ID}}"], capture_output=True).returncode:
        raise Skip("no container engine answers")
    name = "sluice:check"
    run(
        docker,
        "build",
        "--file",
        DOCKER / "Dockerfile",
        "--build-arg",
        "SLUICE_REVISION=check",
        "--tag",
        name,
        ".",
        timeout=1800,
    )
    said = run(docker, "run", "--rm", "--read-only", "--cap-drop", "ALL", name, "--version")
    if "(check)" not in said:
        raise Fail(f"--version says {said}")


CHECKS = [
    ("hadolint finds nothing in the Dockerfile", dockerfile_is_clean),
    ("the image has no root, no shell, and a health check", image_is_hardened),
    ("what .dockerignore lets in is the workspace", context_is_a_workspace),
    ("the compose files fit the compose schema", compose_is_valid),
    ("docker compose reads them", compose_is_read_by_compose),
    ("compose needs no .env", compose_needs_no_env),
    ("every service is hardened, limited and on loopback", services_are_hardened),
    ("what is mounted is there", mounts_are_there),
    ("who is named is there", names_resolve),
    ("pin writes digests", pin_writes_digests),
    ("the image is built and says its version", image_is_built),
]
