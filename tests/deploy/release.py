"""deploy/release with a binary that is built already: the archive, its checksums and its bill of materials."""

import functools
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile

import harness
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from deploy.outcome import ROOT, run

SCRIPT = ROOT / "deploy/release"
# Crates that work for the binary and are not in it: tests, build scripts, procedural macros.
NOT_IN_IT = {
    "insta",
    "proptest",
    "tempfile",
    "rcgen",
    "cc",
    "syn",
    "quote",
    "serde_derive",
    "tokio-macros",
    "sluice-tests",
}
IN_IT = {"tokio", "hyper", "rustls", "ring", "rusqlite", "libsqlite3-sys", "sqlite", "redis", "serde", "sluice-core"}


def release(out, *options, **environment):
    """Runs the script; the files that it names."""
    env = os.environ | {"PYTHON": sys.executable} | environment
    return [pathlib.Path(line) for line in run(SCRIPT, "--out", out, *options, env=env).split()]


@functools.cache
def made():
    """A release in a folder that lasts as long as the checks do."""
    return tempfile.TemporaryDirectory()


def parts():
    """The archive, the bill beside it, the checksums."""
    folder = pathlib.Path(made().name)
    if not any(folder.iterdir()):
        release(folder, "--binary", harness.SLUICE)
    return [next(folder.glob(f"*.{ending}")) for ending in ("tar.gz", "cdx.json", "sha256")]


def revision():
    dirty = subprocess.run(["git", "diff", "--quiet", "HEAD", "--"], cwd=ROOT).returncode
    return run("git", "rev-parse", "--short=12", "HEAD").strip() + ("-dirty" if dirty else "")


def archive_is_whole():
    archive, bill, sums = parts()
    with tempfile.TemporaryDirectory() as folder:
        run("sha256sum", "--check", sums.name, cwd=sums.parent)
        again, *_ = release(folder, "--binary", harness.SLUICE)
        assert again.read_bytes() == archive.read_bytes(), "a second run made another archive"
        with tarfile.open(archive) as tar:
            members, top = tar.getmembers(), archive.name.removesuffix(".tar.gz")
            tar.extractall(folder, filter="data")
        assert {(m.uid, m.gid, m.uname) for m in members} == {(0, 0, "")}, "an owner has a name"
        time = {int(run("git", "log", "-1", "--format=%ct"))}
        assert {m.mtime for m in members} == time, "times are not the commit's"
        assert [m.name for m in members] == sorted(m.name for m in members), "not sorted"
        inside = pathlib.Path(folder, top)
        for name in ("LICENSE", "README.md", "config/sluice.example.yaml", "systemd/sluice.service", "sluice.cdx.json"):
            assert (inside / name).stat().st_size, f"{name} is not in it"
        assert (inside / "sluice.cdx.json").read_bytes() == bill.read_bytes()
        said = run(inside / "sluice", "--version", env=harness.clean_env())
        told = re.fullmatch(r"sluice (\S+)(?: \((\S+)\))?\n", said)
        assert told and archive.name.startswith(f"sluice-{told[1]}-"), f"{archive.name} says {said}"
        run(
            inside / "sluice", "check", "--env-optional", inside / "config/sluice.example.yaml", env=harness.clean_env()
        )
        # A byte of it, and the checksums have to notice.
        data = bytearray(archive.read_bytes())
        data[len(data) // 2] ^= 1
        for file, content in [(archive, data), (bill, bill.read_bytes()), (sums, sums.read_bytes())]:
            pathlib.Path(folder, file.name).write_bytes(content)
        run("sha256sum", "--check", "--status", sums.name, cwd=folder, code=1)


def bill_is_right():
    archive, bill, _ = parts()
    text = bill.read_text(encoding="utf-8")
    fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    assert not fault, fault
    # The validator has to be able to object.
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text.replace('"SHA-256"', '"SHA-0"', 1))
    told = json.loads(text)
    root = told["metadata"]["component"]
    digest = hashlib.sha256(harness.SLUICE.read_bytes()).hexdigest()
    assert {"alg": "SHA-256", "content": digest} in root["hashes"], "it is of another binary"
    properties = {entry["name"]: entry["value"] for entry in root["properties"]}
    assert properties["sluice:revision"] == revision(), properties
    assert properties["sluice:target"] in archive.name, properties
    listed = told["components"] + root["components"]
    names = {part["name"] for part in listed}
    assert names >= IN_IT, f"it leaves out {IN_IT - names}"
    assert not names & NOT_IN_IT, f"it lists {names & NOT_IN_IT}, which are not in the binary"
    for part in told["components"]:
        assert part.get("licenses") and part.get("purl"), f"{part['name']} has no licence or no package URL"
        assert part.get("hashes") or part["name"] == "sqlite", f"{part['name']} has no hash"
    refs = {part["bom-ref"] for part in listed} | {root["bom-ref"]}
    for entry in told["dependencies"]:
        assert {entry["ref"], *entry.get("dependsOn", [])} <= refs, f"{entry['ref']} leads out of the bill"
    assert str(ROOT) not in text and str(pathlib.Path.home()) not in text, "it has paths of this machine"


CARGO = """#!/usr/bin/env bash
# Builds in no time what says how it was built, and leaves the rest to cargo.
set -euo pipefail
[[ $1 == build ]] || exec "$REAL_CARGO" "$@"
while (($#)); do
    [[ $1 == --target ]] && target=$2
    [[ $1 == --locked ]] && locked=yes
    [[ $1 == --release ]] && kind=release
    shift
done
folder=$CARGO_TARGET_DIR/$target/$kind
mkdir -p "$folder"
printf '#!/bin/sh\\necho "sluice 0 (%s) %s %s"\\n' "$SLUICE_REVISION" "${locked-}" "$RUSTFLAGS" >"$folder/sluice"
chmod +x "$folder/sluice"
"""


def built(*options):
    """How the script's own build was asked for: by a binary that a cargo made which does nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        (bin_ := pathlib.Path(folder, "bin")).mkdir()
        (bin_ / "cargo").write_text(CARGO)
        (bin_ / "cargo").chmod(0o755)
        real = run("sh", "-c", "command -v cargo").strip()
        target = re.search(r"host: (\S+)", run("rustc", "-vV"))[1]
        path = {"PATH": f"{bin_}:{os.environ['PATH']}", "REAL_CARGO": real, "RELEASE_TARGET_DIR": f"{folder}/target"}
        archive, *_ = release(folder, "--target", target, *options, **path)
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
        return run(pathlib.Path(folder, archive.name.removesuffix(".tar.gz"), "sluice"))


def build_is_locked_and_knows_its_revision():
    said = built()
    assert said.startswith(f"sluice 0 ({revision()}) yes "), said
    assert f"--remap-path-prefix={ROOT}=" in said, said
    assert "profile-use" not in said, said


def build_takes_a_profile():
    with tempfile.TemporaryDirectory() as folder:
        profile = pathlib.Path(folder).resolve() / "some.profdata"
        profile.touch()
        # The compiler runs in many folders, so the path has to be whole.
        said = built("--profile", os.path.relpath(profile, ROOT))
        assert f"--remap-path-prefix={ROOT}=" in said and said.endswith(f" -Cprofile-use={profile}\n"), said
        # And the order that was found with it, where the linker knows what to do with that.
        (order := profile.with_suffix(".order")).touch()
        known = "host: x86_64-unknown-linux-gnu\n" in run("rustc", "-vV")
        options = f"--symbol-ordering-file={order}", "--no-warn-symbol-ordering"
        laid = "".join(f" -Clink-arg=-Xlinker -Clink-arg={option}" for option in options) if known else ""
        said = built("--profile", profile)
        assert said.endswith(f" -Cprofile-use={profile}{laid}\n"), said
        said = run(SCRIPT, "--profile", profile, "--binary", harness.SLUICE, "--out", folder, code=1)
        assert "--profile is for a build" in said, said
        profile.unlink()
        order.unlink()
        said = run(SCRIPT, "--profile", profile, "--out", folder, code=1)
        assert f"there is no profile {profile}" in said, said
        assert not any(pathlib.Path(folder).iterdir()), "it has begun without its profile"


def cargo_installs_it():
    """As the README says it; with the profile that `tests/run` builds with, nothing is built again."""
    quick = {"CARGO_PROFILE_RELEASE_LTO": "off", "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16"}
    with tempfile.TemporaryDirectory() as folder:
        command = ["cargo", "install", "--path", "crates/sluice", "--locked", "--quiet", "--root", folder]
        run(*command, env=os.environ | quick, timeout=1800)
        assert run(pathlib.Path(folder, "bin/sluice"), "--version").startswith("sluice ")


CHECKS = [
    ("the archive is whole, checked and the same twice", archive_is_whole),
    ("the bill of materials is valid and of this binary", bill_is_right),
    ("the build is locked and knows its revision", build_is_locked_and_knows_its_revision),
    ("the build takes a profile, and wants it there", build_takes_a_profile),
    ("cargo install --path crates/sluice --locked", cargo_installs_it),
]
