"""How a check ends other than by passing, and running a command whose failure is the check's."""

import subprocess


class Skip(Exception):
    """The check cannot be made here; says why."""


class Fail(Exception):
    """The check was made, and this is what it found."""


def run(command, **options):
    """The command's standard output; Fail with all of its output when it does not exit with 0."""
    command = [str(word) for word in command]
    options = {"capture_output": True, "text": True, "stdin": subprocess.DEVNULL} | options
    done = subprocess.run(command, check=False, **options)
    if done.returncode != 0:
        raise Fail(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout or ''}{done.stderr or ''}".rstrip())
    return done.stdout
