"""The step: see the package's own words."""

import argparse
import concurrent.futures
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BASELINE = pathlib.Path(__file__).resolve().parent / "baseline.json"
MICRO = ROOT / "target/release/micro"
# As `tests/run` builds.
PROFILE = {"CARGO_PROFILE_RELEASE_LTO": "off", "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16"}
TOLERANCE = 3.0  # percent
PATIENCE = 300  # seconds for one run
SKIPPED = 77  # as `tests/run` has it
ACCEPT = "PYTHONPATH=tests python3 -m instructions --accept"


def build():
    command = ["cargo", "build", "--release", "--locked", "--quiet", "--package", "sluice-tests", "--bin", "micro"]
    subprocess.run(command, cwd=ROOT, check=True, env=os.environ | PROFILE)


def under_valgrind(tool, *arguments):
    """What `micro` prints; nothing of the caller's environment moves its stack about."""
    command = [shutil.which("valgrind"), *tool, MICRO, *map(str, arguments)]
    run = subprocess.run(command, env={}, capture_output=True, text=True, timeout=PATIENCE)
    if run.returncode:
        sys.exit(f"{' '.join(map(str, command))}: {run.returncode}\n{run.stderr[-2000:]}")
    return run.stdout


def here(features):
    """All that the figures depend on besides the source."""
    said = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True, cwd=ROOT).stdout
    valgrind = subprocess.run(["valgrind", "--version"], check=True, capture_output=True, text=True).stdout
    return {
        "rustc": said.splitlines()[0],
        "target": re.search(r"^host: (.*)$", said, re.MULTILINE).group(1),
        "profile": "release, LTO off, 16 codegen units",
        "valgrind": valgrind.strip(),
        "libc": " ".join(platform.libc_ver()),
        "features": features,
    }


def count(name, times):
    """Instructions of the first thread, from its start to its end."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "out"
        under_valgrind(["--tool=callgrind", "--separate-threads=yes", f"--callgrind-out-file={out}"], name, times)
        text = out.with_name("out-01").read_text()
    return int(re.search(r"^totals: (\d+)$", text, re.MULTILINE).group(1))


def measure(operation, pool):
    """To be asked for the instructions of one unit of the operation."""
    name, times = operation["name"], operation["times"]
    once, twice = (pool.submit(count, name, n) for n in (times, 2 * times))
    return lambda: round((twice.result() - once.result()) / (times * operation["units"]), 1)


def measure_all(operations):
    cores = len(os.sched_getaffinity(0))
    with concurrent.futures.ThreadPoolExecutor(max_workers=min(4, cores)) as pool:
        # The slowest come last in the list and are begun first.
        asked = {operation["name"]: measure(operation, pool) for operation in reversed(operations)}
        return {operation["name"]: asked[operation["name"]]() for operation in operations}


def compare(before, now):
    """Prints the table; what is wrong, and what has become better."""
    wrong, better = [], []
    print(f"{'operation':<16} {'baseline':>12} {'now':>12} {'change':>8}   instructions of one")
    for name, figure in now.items():
        was = before.get(name)
        if was is None:
            wrong.append(f"{name} is not in the baseline")
            print(f"{name:<16} {'':>12} {figure:>12,.1f}")
            continue
        change = (figure / was - 1) * 100
        mark = ""
        if change > TOLERANCE:
            mark = "  worse"
            wrong.append(f"{name} takes {change:.1f} % more instructions than the baseline")
        elif change < -TOLERANCE:
            mark = "  better"
            better.append(f"{name} takes {-change:.1f} % fewer")
        print(f"{name:<16} {was:>12,.1f} {figure:>12,.1f} {change:>+7.1f}%{mark}")
    return wrong, better


def main():
    parser = argparse.ArgumentParser(description="Instructions that the operations of a request take.")
    parser.add_argument("operations", nargs="*", metavar="OPERATION", help="only these")
    parser.add_argument("--accept", action="store_true", help="makes the figures of here and now the baseline")
    parser.add_argument("--no-build", action="store_true", help="takes the binary as it is")
    arguments = parser.parse_args()
    if not shutil.which("valgrind"):
        print("no valgrind on this machine")
        return SKIPPED
    if not arguments.no_build:
        build()
    told = json.loads(under_valgrind(["--tool=none", "--quiet"]))
    where = here(told["features"])
    baseline = json.loads(BASELINE.read_text(encoding="utf-8")) if BASELINE.exists() else {}
    known = baseline.get("instructions", {})
    differs = [name for name, value in where.items() if baseline.get("where", {}).get(name) != value]
    if differs and not arguments.accept:
        name = differs[0]
        print(f"the baseline is of another {name}: {baseline.get('where', {}).get(name)}, not {where[name]}")
        return SKIPPED
    names = {operation["name"] for operation in told["operations"]}
    if unknown := set(arguments.operations) - names:
        sys.exit(f"no such operation: {', '.join(sorted(unknown))}")
    wanted = set(arguments.operations) or names
    now = measure_all([operation for operation in told["operations"] if operation["name"] in wanted])
    wrong, better = compare(known, now)
    wrong += [f"{name} is in the baseline and nowhere else" for name in known if name not in names]
    if arguments.accept:
        # Those of another place mean nothing beside these.
        kept = {} if differs else {name: figure for name, figure in known.items() if name in names}
        figures = {"where": where, "instructions": kept | now}
        BASELINE.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        print(f"{BASELINE.relative_to(ROOT)} is written")
        return 0
    if better:
        print(f"{'; '.join(better)}. Keep it: {ACCEPT}")
    if wrong:
        print("\n".join(wrong))
        print(f"If that is meant: {ACCEPT}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
