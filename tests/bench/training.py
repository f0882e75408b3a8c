"""Makes a profile of how requests run, by which the compiler then builds Sluice, and the order in which its functions
are to lie.

A Sluice that counts its own steps is built, and driven as gateways are. It writes down what it has counted when it
ends.
"""

import contextlib
import dataclasses
import os
import pathlib
import subprocess
import sys

import harness

from bench import builds, contenders, layout, machine
from bench.load import drive
from bench.session import Session

DATA = builds.PROFILES / "data"
PROFILE = builds.PROFILES / "sluice.profdata"
ORDER = PROFILE.with_suffix(".order")
# What it is, the mock's behaviour, the load.
LOADS = {
    "plain requests": ({}, ["--conns", 64]),
    "cache hits": ({}, ["--conns", 64, "--seeded", "--distinct", 1, "--seed", 1]),
    "cacheable misses": ({}, ["--conns", 64, "--seeded"]),
    "paced streams": ({"gap_us": 10_000}, ["--conns", 64, "--stream"]),
    "streams at full speed": ({}, ["--conns", 64, "--stream"]),
    "streams of unlike chunks": ({"noise": 1}, ["--conns", 64, "--stream"]),
    "prompts of 100 KB": ({}, ["--conns", 16, "--body-size", 100_000]),
    "prompts of 1 MB": ({}, ["--conns", 4, "--body-size", 1_000_000]),
}
# Further paths, of which a few requests do.
DIALECTS = ["/v1/responses", "/v1/completions"]
FEW = ["--conns", 8, "--requests", 400]
NO_MERGER = "there is no llvm-profdata, which merges profiles; it comes with: rustup component add llvm-tools"


def run(chosen):
    merger = profdata()
    if not merger.exists():
        print(NO_MERGER, file=sys.stderr)
        return 2
    if not chosen.no_build:
        builds.tools()
        builds.instrumented(DATA)
    harness.SLUICE = builds.binary("build")
    if not harness.SLUICE.exists():
        sys.exit(f"{harness.SLUICE} is not there")
    DATA.mkdir(parents=True, exist_ok=True)
    for stale in DATA.glob("*.profraw"):
        stale.unlink()
    # By process: the gateway's own has to be among them.
    os.environ[layout.COUNTS_INTO] = f"{DATA}/%p.profraw"
    with contextlib.ExitStack() as stack:
        with Session(chosen) as session:
            gateway = train(session)
            early = stack.enter_context(layout.watched(session))
        merge(merger, gateway)
        functions = layout.order(merger, PROFILE, early)
    ORDER.write_text("\n".join(functions) + "\n", encoding="utf-8")
    print(f"{ORDER.relative_to(harness.ROOT)}: {len(functions):,} functions")
    shown = PROFILE.relative_to(harness.ROOT)
    print(f"deploy/release --profile {shown}          makes a release that is laid out by it")
    print(f"python3 tests/bench --profile {shown}     measures such a binary")
    return 0


def profdata():
    """The tool of the compiler's own LLVM: another's may not read what this one writes."""
    sysroot = machine.said("rustc", "--print", "sysroot")
    return pathlib.Path(sysroot, "lib/rustlib", builds.host(), "bin/llvm-profdata")


def train(session):
    """Drives all loads through one gateway; its process, which has ended."""
    with contenders.sluice(session) as sluice:
        for title, (behaviour, load) in LOADS.items():
            contenders.set_mock(session.mock, **behaviour)
            told(title, drive(session, sluice, load))
        for path in DIALECTS:
            for more in ([], ["--stream"]):
                contenders.set_mock(session.mock)
                told(" ".join([path, *more]), drive(session, dataclasses.replace(sluice, path=path), [*FEW, *more]))
    return sluice.pid


def told(title, report):
    print(f"{title:<28}{report['sent']:>10,} requests", flush=True)
    if report["errors"]:
        sys.exit(f"{report['errors']} errors: {report['error_sample']}")


def merge(merger, gateway):
    """The mock's, too, which is of the same binary: what it does would else count as what never happens."""
    if not (DATA / f"{gateway}.profraw").exists():
        sys.exit("the gateway has left no profile: is it built to count, and has it ended by itself?")
    new = PROFILE.with_suffix(".new")
    subprocess.run([merger, "merge", "-o", new, *sorted(DATA.glob("*.profraw"))], check=True)
    new.replace(PROFILE)
    print(f"{PROFILE.relative_to(harness.ROOT)}: {PROFILE.stat().st_size / 2**20:.1f} MiB")
