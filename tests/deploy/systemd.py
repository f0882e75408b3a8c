"""The units: read by systemd's own tools, and measured by them."""

import contextlib
import pathlib
import re
import tempfile

import harness
import yaml

from deploy.outcome import DEPLOY, ROOT, Fail, Skip, run, tool

UNITS = DEPLOY / "systemd"
SERVICES = ["sluice.service", "sluice@.service"]
INSTALLED = "/usr/local/bin/sluice"
NOTIFY_RELOAD = 253  # the first systemd that knows it
EXPOSURE = 20  # tenths
# What the instance beside another one has of its own.
OF_THE_TEMPLATE = {
    "Environment=SLUICE__LISTENERS__API__REUSE_PORT=true",
    "BindReadOnlyPaths=%d:/run/credentials/sluice.service",
}


@contextlib.contextmanager
def units():
    """The units in a folder of their own, with a binary that is there."""
    with tempfile.TemporaryDirectory() as folder:
        for name in SERVICES:
            text = (UNITS / name).read_text(encoding="utf-8")
            assert len(re.findall(rf"^Exec\w+=-?{INSTALLED} ", text, re.MULTILINE)) == 2, (
                f"{name}: ExecStartPre and ExecStart are {INSTALLED}"
            )
            pathlib.Path(folder, name).write_text(text.replace(INSTALLED, str(harness.SLUICE)), encoding="utf-8")
        yield pathlib.Path(folder)


def settings(name):
    """The lines of a unit's [Service] section."""
    text = (UNITS / name).read_text(encoding="utf-8")
    section = re.search(r"^\[Service\]\n(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL)[1]
    return [line for line in section.splitlines() if line and not line.startswith("#")]


def version():
    return int(re.match(r"systemd (\d+)", run(tool("systemd-analyze"), "--version"))[1])


def units_are_valid():
    analyze = tool("systemd-analyze")
    with units() as folder:
        for name in SERVICES:
            # What is wrong with a line is only told, the line is left out, and the end is a good one.
            if said := run(analyze, "verify", "--man=no", "--recursive-errors=no", folder / name).strip():
                raise Fail(said)


def exposure_is_low():
    for name in SERVICES:
        said = run(tool("systemd-analyze"), "security", "--offline=true", f"--threshold={EXPOSURE}", UNITS / name)
        assert "Overall exposure level" in said, said


def notify_reload_is_valid():
    if version() < NOTIFY_RELOAD:
        raise Skip(f"systemd {version()} has no Type=notify-reload")
    with units() as folder:
        (dropins := folder / "sluice.service.d").mkdir()
        (dropins / "notify-reload.conf").write_bytes((UNITS / "notify-reload.conf").read_bytes())
        analyze = tool("systemd-analyze")
        if said := run(analyze, "verify", "--man=no", "--recursive-errors=no", folder / SERVICES[0]).strip():
            raise Fail(said)


def instances_are_alike():
    one, other = (settings(name) for name in SERVICES)
    assert set(one) - set(other) == set(), f"only sluice.service has {set(one) - set(other)}"
    assert set(other) - set(one) == OF_THE_TEMPLATE, f"only the template has {set(other) - set(one)}"


def stop_waits_for_the_drain():
    defaults = yaml.safe_load((ROOT / "config/default.yaml").read_text(encoding="utf-8"))
    drain = int(defaults["shutdown"]["drain"].removesuffix("s"))
    for name in SERVICES:
        (stop,) = [line for line in settings(name) if line.startswith("TimeoutStopSec=")]
        assert int(re.search(r"=(\d+)s$", stop)[1]) >= drain + 10, f"{name}: {stop}, and the drain is {drain} s"


def example_is_valid():
    said = run(harness.SLUICE, "check", "--env-optional", UNITS / "sluice.yaml", env=harness.clean_env(NO_COLOR="1"))
    others = [
        line for line in said.splitlines() if re.match(r"(warning|error)\[", line) and "/run/credentials/" not in line
    ]
    assert not others, said
    named = re.findall(r"/run/credentials/sluice\.service/key_\w+", said)
    assert named, f"it takes no secret from the unit's credentials: {said}"
    for line in (UNITS / "sluice.env.example").read_text(encoding="utf-8").splitlines():
        assert re.fullmatch(r"#?[A-Z_]+=\S+|#.*|", line), f"sluice.env.example: {line}"


CHECKS = [
    ("systemd-analyze verify has nothing to say", units_are_valid),
    (f"exposure is at most {EXPOSURE / 10}", exposure_is_low),
    ("the drop-in for newer systemd is valid", notify_reload_is_valid),
    ("an instance beside another one is confined like it", instances_are_alike),
    ("stopping waits for the drain", stop_waits_for_the_drain),
    ("the example configuration is valid", example_is_valid),
]
