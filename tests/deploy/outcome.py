"""How a check ends when it does not pass, and running what it needs."""

import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"


class Skip(Exception):
    """It cannot be checked here; the reason."""


class Fail(AssertionError):
    """It is not as it should be; what is wrong."""


def tool(name):
    """The path of a tool, of the suite's own Python first; without it the check is skipped."""
    own = pathlib.Path(sys.executable).with_name(name)
    found = str(own) if own.exists() else shutil.which(name)
    if not found:
        raise Skip(f"there is no {name} here")
    return found


def run(*command, code=0, **options):
    """Runs a command that is to end with a code; what it printed."""
    options = {"cwd": ROOT, "text": True, "timeout": 300, **options}
    done = subprocess.run([str(part) for part in command], stdout=-1, stderr=subprocess.STDOUT, **options)
    if done.returncode != code:
        said = f"{done.stdout}\n" if done.stdout else ""
        raise Fail(f"{said}{' '.join(map(str, command))}: ended with {done.returncode}, not {code}")
    return done.stdout
