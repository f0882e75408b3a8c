"""Runs the checks: see the package's own words."""

import importlib
import sys
import time
import traceback

from deploy.outcome import Skip

MODULES = [
    "containers",
    "charts",
    "manifests",
    "kustomize",
    "systemd",
    "booted",
    "release",
    "confined",
    "compose_alive",
]


def ends(check):
    """PASS, SKIP or FAIL, and what is to be said about it."""
    try:
        check()
    except Skip as reason:
        return "SKIP", str(reason)
    except AssertionError as wrong:
        return "FAIL", str(wrong) or traceback.format_exc()
    except Exception:  # noqa: BLE001 -- a check that breaks has not passed
        return "FAIL", traceback.format_exc()
    return "PASS", ""


def main(names):
    count = dict.fromkeys(["PASS", "FAIL", "SKIP"], 0)
    for module in names or MODULES:
        for name, check in importlib.import_module(f"deploy.{module}").CHECKS:
            begun = time.monotonic()
            end, said = ends(check)
            count[end] += 1
            reason = f"({said})" if end == "SKIP" else ""
            print(f"{end}{reason} {module}: {name} {time.monotonic() - begun:.1f} s", flush=True)
            if end == "FAIL":
                print(said)
    print("{PASS} passed, {FAIL} failed, {SKIP} skipped".format(**count))
    return count["FAIL"] > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
