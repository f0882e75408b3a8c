"""Which functions run until a gateway has given its first answers: the linker lays those side by side.

Linux maps sixteen pages of a file where one is touched, so that code which lies scattered holds many times its size in
memory. Of Rust's functions the profile tells which have run, and how often; those of C and of the standard library are
not built to count, and are seen by callgrind, where it is installed.
"""

import contextlib
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

import harness

from bench import contenders, streams

# After the first answers: what is written behind their back has run by then.
SETTLES = 3  # seconds
PATIENCE = 60  # in which it has to end, writing what it has counted, under valgrind
# Names the file into which a binary that counts its steps writes what it has counted.
COUNTS_INTO = "LLVM_PROFILE_FILE"


@contextlib.contextmanager
def watched(session):
    """A gateway that counts its steps starts, answers and ends; yields its folder, with what it has counted."""
    with tempfile.TemporaryDirectory() as folder:
        before = os.environ.get(COUNTS_INTO, "")
        os.environ[COUNTS_INTO] = f"{folder}/%p.profraw"
        try:
            command = under_callgrind(pathlib.Path(folder))
            with contenders.sluice(session, binary=command, patience=PATIENCE) as sluice:
                contenders.set_mock(session.mock)
                for _ in range(3):
                    streams.warm(sluice)
                time.sleep(SETTLES)
        finally:
            os.environ[COUNTS_INTO] = before
        yield pathlib.Path(folder)


def under_callgrind(folder):
    """A command that runs the gateway so; the gateway itself where there is no valgrind."""
    if not shutil.which("valgrind"):
        print("no valgrind: where C's functions and the standard library's lie is left to the linker")
        return harness.SLUICE
    options = ["--quiet", "--tool=callgrind", "--demangle=no", f"--callgrind-out-file={folder}/callgrind"]
    command = folder / "sluice"
    line = shlex.join(["valgrind", *options, str(harness.SLUICE)])
    command.write_text(f'#!/bin/sh\nexec {line} "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    return command


def order(merger, profile, folder):
    """The functions in the order in which they are to lie, of a gateway that was watched and of a whole profile."""
    if not (raw := list(folder.glob("*.profraw"))):
        sys.exit("the gateway that was watched has left no profile: has it ended by itself?")
    early = folder / "early.profdata"
    subprocess.run([merger, "merge", "-o", early, *raw], check=True)
    hottest = counted(merger, profile)
    first = counted(merger, early)
    # What runs all the time, before what runs once.
    by_heat = sorted(hottest, key=hottest.get, reverse=True)
    return list(dict.fromkeys([*(name for name in by_heat if name in first), *called(folder / "callgrind"), *by_heat]))


def counted(merger, profile):
    """The functions that have run, and how often their busiest part did."""
    command = [merger, "show", "--all-functions", "--counts", profile]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    most = {}
    for line in said.splitlines():
        if name := re.match(r"  (?:[^;]*;)?(\S+):$", line):
            running = name[1]
        elif counts := re.match(r"    Block counts: \[(.+)\]$", line):
            most[running] = max(map(int, counts[1].split(",")))
    return {name: times for name, times in most.items() if times}


def called(file):
    """The functions that callgrind has seen, by name; none where it did not run."""
    if not file.exists():
        return []
    told = re.findall(r"^c?fn=\(\d+\) (\S+?)(?:'\d+)?$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return sorted(set(told))
