"""The units under a real systemd: this machine's own, booted in a container by systemd-nspawn.

Its root is this machine's, below an overlay in memory that is gone afterwards, so nothing is installed here. probe.sh
runs inside of it; what it tells is judged here.
"""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import harness

from deploy.outcome import DEPLOY, Fail, Skip, tool

UNITS = DEPLOY / "systemd"
BOOT = 90  # seconds at most
# Mounts and processes in namespaces of their own: whatever happens, they go with them.
OF_ITS_OWN = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
IN_A_CONTAINER = """set -e
mount -t tmpfs tmpfs "$1"
cd "$1"
mkdir upper work root
mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root
cp -a "$2/." root/
shift 2
exec systemd-nspawn --quiet --directory=root --register=no --keep-unit --private-network "$@"
"""
PROBE = """[Unit]
Requires=basic.target
After=basic.target
[Service]
Type=oneshot
Environment=KEY={key}
ExecStart=/usr/local/bin/probe
"""
# Nobody waits half a minute for the watchdog here.
DROPIN = "[Service]\nWatchdogSec=2s\n"


def write(path, text, mode=0o644):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def as_typed(root):
    """Runs the `install` lines of the unit, in a folder like an unpacked release, below another root."""
    lines = re.findall(r"^#   (install .*?)(?: +#.*)?$", (UNITS / "sluice.service").read_text(encoding="utf-8"), re.M)
    with tempfile.TemporaryDirectory() as release:
        pathlib.Path(release, "sluice").symlink_to(harness.SLUICE)
        pathlib.Path(release, "systemd").symlink_to(UNITS)
        for line in lines:
            there = re.sub(r" (/(?:usr|etc)/)", rf" {root}\1", line)
            subprocess.run(["bash", "-c", there], cwd=release, check=True, input="sk-of-a-check\n", text=True)


def installed(root):
    """Puts into a folder what the unit's first lines tell to install, by these lines, and the probe."""
    key, digest = harness.new_key("check")
    units = root / "etc/systemd/system"
    for folder in (units, root / "usr/local/bin"):
        folder.mkdir(parents=True)
    as_typed(root)
    shutil.copy(pathlib.Path(__file__).with_name("probe.sh"), root / "usr/local/bin/probe")
    for name in ("sluice.service", "sluice@.service"):
        write(units / f"{name}.d/check.conf", DROPIN)
    write(units / "probe.service", PROBE.format(key=key))
    text = (root / "etc/sluice/sluice.yaml").read_text(encoding="utf-8")
    text = re.sub(r"blake3:0+", digest, text).replace("models: [gpt-4o-mini]", 'models: ["*"]')
    text = text.replace(
        "kind: openai\n", 'kind: openai\n    base_url: "http://127.0.0.1:4010/v1"\n    allow_private: true\n'
    )
    text = re.sub(
        r"^models:\n.*\n",
        "models:\n  - {name: one, targets: [{provider: openai, model: one}]}\n",
        text,
        flags=re.MULTILINE,
    )
    write(root / "etc/sluice/sluice.yaml", text + "shutdown: {delay: 500ms, drain: 10s}\n")


def container(folder, files, *options, out=None, **how):
    """Runs a command, or a boot, on this machine's root with files put over it."""
    names = [f"--machine=sluice-check-{os.getpid()}", *([f"--bind={out}:/out"] if out else [])]
    command = [*OF_ITS_OWN, "bash", "-c", IN_A_CONTAINER, "-", folder, files, *names, *options]
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=-1, stderr=subprocess.STDOUT, text=True, **how)
    except subprocess.TimeoutExpired as late:
        return subprocess.CompletedProcess(command, None, f"{late.stdout}\n{late}")


def told_by_the_probe():
    """What the probe said, by name."""
    if os.geteuid() != 0:
        raise Skip("booting a systemd takes root")
    tool("systemd-nspawn")
    with tempfile.TemporaryDirectory() as place:
        folder, files, out = (pathlib.Path(place, name) for name in ("container", "files", "out"))
        for path in (folder, files, out):
            path.mkdir()
        installed(files)
        tried = container(folder, files, "/bin/true", timeout=30)
        if tried.returncode:
            raise Skip(f"systemd-nspawn does not work here: {tried.stdout.strip().splitlines()[-1:]}")
        booted = container(folder, files, "--boot", "systemd.unit=probe.service", out=out, timeout=BOOT)
        texts = {
            name: (out / name).read_text(encoding="utf-8") if (out / name).exists() else ""
            for name in ("told", "errors", "journal")
        }
        told = dict(line.split("=", 1) for line in texts["told"].splitlines())
        if "invalid" not in told:
            raise Fail("\n".join([booted.stdout[-2000:], *texts.values()]))
        return told, texts["journal"] + texts["errors"]


def lives_under_systemd():
    told, more = told_by_the_probe()
    expected = {
        "start": "0 notify active",
        "health": "ready",
        "user": "another",
        "NoNewPrivs": "1",
        "Seccomp": "2",
        "CapEff": "0" * 16,
        "CapBnd": "0" * 16,
        "state": "600 regular file",
        "asked": "200",
        "before": "404",
        "reload": "0 200",
        "same": "yes",
        "next": "0 active",
        "restart": "0 another",
        "stop_next": "0 success",
        "watchdog": "1 active 200",
        "stop": "0 success 0",
        "alone": "0 200",
        "turn": "0 200",
        "back": "0 200",
        "invalid": "1 2",
        "tries": "0 failed",
    }
    wrong = [
        f"{name}: {told.get(name)!r}, not {value!r}" for name, value in expected.items() if told.get(name) != value
    ]
    # Of those who asked all through the upgrade nobody was refused.
    if not re.fullmatch(r"\d{2,} 200", told.get("upgrade", "")):
        wrong.append(f"upgrade: {told.get('upgrade')!r}")
    assert not wrong, "\n".join([*wrong, more])


CHECKS = [("under systemd it starts, reloads, upgrades, hangs and stops as the units say", lives_under_systemd)]
