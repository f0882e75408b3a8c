"""Builds what is measured, and notes how: afterwards a binary does not tell what it was optimised with."""

import contextlib
import functools
import json
import os
import subprocess

import harness

from bench import machine

OUT = harness.ROOT / "target/bench"
BUILT = OUT / "built.json"
# What stands beside Sluice comes from here, also where another Sluice is measured.
USUAL = harness.SLUICE
PROFILES = harness.ROOT / "target/profile"
CARGO = ["cargo", "build", "--release", "--locked", "--quiet"]


def usual():
    """As everybody builds it."""
    cargo()
    note(harness.ROOT / "target/release/sluice", profiled=False)
    tools()


def tools():
    """The load, the floor, and what measures the parts of a request."""
    cargo("--package", "sluice-tests", "--bins")


def with_profile(file):
    """Sluice, built and laid out by a profile of how requests run, and what measures its parts."""
    flags = " ".join([f"-Cprofile-use={file}", *in_order(file.with_suffix(".order"))])
    note(flagged("use", flags), profiled=True)
    flagged("use", flags, "sluice-tests", "--bin", "micro")


def in_order(file):
    """Flags that lay functions out as that file has them, which is for the linker that rustc brings along there."""
    if host() != "x86_64-unknown-linux-gnu" or not file.exists():
        return []
    options = f"--symbol-ordering-file={file}", "--no-warn-symbol-ordering"
    return [f"-Clink-arg={word}" for option in options for word in ("-Xlinker", option)]


def instrumented(folder):
    """Sluice that counts how it runs, into files of that folder, and whose functions have their names."""
    flagged("build", f"-Cprofile-generate={folder} -Cstrip=none")


def flagged(name, flag, package="sluice", *options):
    """With a target named, be it this machine's, the flag is not for what runs while building."""
    flags = f"{os.environ.get('RUSTFLAGS', '')} {flag}".strip()
    cargo("--package", package, *options, "--target", host(), "--target-dir", PROFILES / name, RUSTFLAGS=flags)
    return binary(name)


def binary(name):
    """Where Sluice is that was built so: `build` counts, `use` is laid out."""
    return PROFILES / name / host() / "release/sluice"


@functools.cache
def host():
    return machine.said("rustc", "--print", "host-tuple")


def cargo(*options, **environment):
    subprocess.run([*CARGO, *options], cwd=harness.ROOT, env=os.environ | environment, check=True)


def note(built, profiled):
    OUT.mkdir(parents=True, exist_ok=True)
    lto = os.environ.get("CARGO_PROFILE_RELEASE_LTO", "fat")
    how = {"time": built.stat().st_mtime_ns, "lto": lto, "profiled": profiled}
    BUILT.write_text(json.dumps(notes() | {str(built): how}, indent=1), encoding="utf-8")


def notes():
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(BUILT.read_text(encoding="utf-8"))
        return {path: how for path, how in found.items() if isinstance(how, dict)}
    return {}


def told(built):
    """`lto`, which is `fat` or `off`, and whether with a profile; neither of what was not built here last."""
    how = notes().get(str(built))
    with contextlib.suppress(OSError):
        if how and how["time"] == built.stat().st_mtime_ns:
            return {"lto": how["lto"], "profiled": how["profiled"]}
    return {"lto": "", "profiled": None}


def usual_beside(built):
    """The binary that was built as everybody builds it, where only the profile makes the difference."""
    ours, theirs = told(USUAL), told(built)
    return USUAL if ours["profiled"] is False and ours["lto"] == theirs["lto"] else None
