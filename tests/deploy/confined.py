"""The release binary as the image runs it, without an engine: what the Dockerfile says, done by bubblewrap.

A root of its own that holds the binary, the libraries that it asks for and its configuration, read-only; the image's
user, no capabilities, no new privileges, processes of its own; one folder to write to. The network is this machine's.
"""

import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile

import harness
import yaml

from deploy import containers
from deploy.outcome import Fail, run, tool

STATE = "/var/lib/sluice"
CONFIG = """version: 1
state_dir: {state}
listeners: {{api: {{bind: "0.0.0.0:{api}"}}, admin: {{bind: "0.0.0.0:{admin}", token: only-here}}}}
providers: [{{name: up, kind: openai_compatible, base_url: "http://{mock}/v1", allow_private: true}}]
models: [{{name: demo, targets: [{{provider: up, model: mock-stream-9}}]}}]
keys: [{{name: check, hash: "{digest}", models: [demo]}}]
shutdown: {{delay: 200ms, drain: 10s}}
"""


def libraries():
    """What the binary is linked with, and the loader: what distroless/cc has as well."""
    return [pathlib.Path(path) for path in re.findall(r"(/\S+) \(0x", run("ldd", harness.SLUICE))]


def make_root(folder):
    """The image's files."""
    folder.mkdir()
    shutil.copy(harness.SLUICE, folder / "sluice")
    for library in libraries():
        (goal := folder / library.relative_to("/")).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, goal)
    for name in ("etc/sluice", "var/lib/sluice", "proc", "dev", "tmp"):
        (folder / name).mkdir(parents=True)
    return folder


class Image:
    """A root on this machine, and how a command is run in it."""

    def __init__(self, folder):
        self.made, self.user = containers.last_stage(), containers.last_stage()["USER"].split(":")
        self.root, self.state = make_root(folder / "root"), folder / "state"
        self.state.mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(self.state, *map(int, self.user))
        os.chmod(folder, 0o755)
        self.api, self.admin = harness.free_port(), harness.free_port()

    def configure(self, mock, digest, state=STATE):
        values = {"state": state, "api": self.api, "admin": self.admin, "mock": mock, "digest": digest}
        text = CONFIG.format(**values)
        assert yaml.safe_load(text)
        (self.root / "etc/sluice/sluice.yaml").write_text(text, encoding="utf-8")

    def command(self, *command, told=None):
        """The command line that runs a command as the image would."""
        user, group = self.user
        # bubblewrap makes namespaces of its own; whoever may not has to be somebody else first.
        before = [tool("setpriv"), f"--reuid={user}", f"--regid={group}", "--clear-groups"] if os.geteuid() == 0 else []
        names = dict(pair.split("=", 1) for pair in self.made["ENV"].split())
        inside = [part for pair in names.items() for part in ("--setenv", *pair)]
        return [
            *before,
            *(tool("bwrap"), "--unshare-user", "--uid", user, "--gid", group),
            *("--unshare-pid", "--as-pid-1", "--unshare-ipc", "--unshare-uts", "--new-session", "--die-with-parent"),
            *("--cap-drop", "ALL", "--clearenv", *inside, "--ro-bind", self.root, "/", "--proc", "/proc"),
            *("--dev", "/dev", "--bind", self.state, STATE, "--chdir", self.made["WORKDIR"]),
            *(["--info-fd", str(told)] if told else []),
            *command,
        ]

    def run(self, *command):
        """Runs to its end; the code and what it said."""
        done = subprocess.run(self.command(*command), stdout=-1, stderr=subprocess.STDOUT, text=True, timeout=30)
        return done.returncode, done.stdout

    @contextlib.contextmanager
    def serving(self):
        """ENTRYPOINT and CMD; yields the process, and its id outside."""
        command = json.loads(self.made["ENTRYPOINT"]) + json.loads(self.made["CMD"])
        read, write = os.pipe()
        with (self.state.parent / "log").open("w+") as log:
            process = subprocess.Popen(
                self.command(*command, told=write), pass_fds=[write], stdout=log, stderr=subprocess.STDOUT
            )
            os.close(write)
            try:
                with open(read, encoding="utf-8") as told:
                    text = told.read()
                pid = json.loads(text)["child-pid"] if text else None
                harness.wait_until(lambda: self.run(*containers.health_command())[0] == 0, process, "the image", 20)
                yield process, pid
            except RuntimeError as error:
                log.seek(0)
                raise Fail(f"{error}\n{log.read()}") from None
            finally:
                process.kill()
                process.wait()


@contextlib.contextmanager
def image():
    tool("bwrap")
    with tempfile.TemporaryDirectory() as folder, harness.mock() as mock:
        made = Image(pathlib.Path(folder))
        made.key, digest = harness.new_key("check")
        made.mock, made.digest = mock, digest
        made.configure(mock, digest)
        if (ended := made.run("/sluice", "--version"))[0]:
            raise Fail(f"nothing runs in it: {ended[1]}")
        yield made


def facts(pid):
    """What the kernel says of a process."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def is_confined(made, pid):
    """The restrictions hold, so that what follows is proven under them."""
    said = facts(pid)
    if os.geteuid() == 0:
        assert set(said["Uid"].split()) == {made.user[0]}, f"its user is {said['Uid']}"
        assert not said["Groups"], f"its groups are {said['Groups']}"
    assert said["NoNewPrivs"] == "1", "it may gain privileges"
    assert {int(said[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}, str(said)
    mounts = [line.split() for line in pathlib.Path(f"/proc/{pid}/mountinfo").read_text(encoding="utf-8").splitlines()]
    writable = {
        mount[4] for mount in mounts if "rw" in mount[5].split(",") and not re.match("/(dev|proc)(/|$)", mount[4])
    }
    assert writable == {STATE}, f"it can write to {writable}"


def answers_and_ends():
    with image() as made, made.serving() as (process, pid):
        is_confined(made, pid)
        code, said = made.run(*containers.health_command())
        assert code == 0 and said.strip().endswith("ready"), said
        connection = http.client.HTTPConnection(f"127.0.0.1:{made.api}", timeout=10)
        body = json.dumps({"model": "demo", "prompt": "Once"})
        headers = {"content-type": "application/json", "authorization": f"Bearer {made.key}"}
        connection.request("POST", "/v1/completions", body, headers)
        answer = connection.getresponse()
        document = json.loads(answer.read())
        assert answer.status == 200 and document["choices"][0]["text"], f"{answer.status} {document}"
        os.kill(pid, signal.SIGTERM)
        assert process.wait(15) == 0, f"SIGTERM ended it with {process.returncode}"
        assert made.run(*containers.health_command())[0] == 1, "nobody is there, and its health is good"
        # The ledger is the state folder's, and read as the image would.
        code, said = made.run("/sluice", "usage", "--records", "--json")
        records = [json.loads(line) for line in said.splitlines()]
        assert code == 0 and len(records) == 1, f"{len(records)} usage records, not one: {said}"
        assert records[0]["id"] == answer.getheader("x-request-id"), said


def writes_nowhere_else():
    with image() as made:
        for place in ("/etc/sluice/state", "/state"):
            made.configure(made.mock, made.digest, place)
            code, said = made.run("/sluice", "serve")
            assert code == 1 and re.search("read-only|permission denied", said, re.IGNORECASE), (
                f"{place}: {code} {said}"
            )
        made.configure(made.mock, made.digest)
        with made.serving() as (_, pid):
            # The kernel says so even to root: it is the mount that cannot be written to.
            for place in ("", "etc/sluice/", "tmp/"):
                with contextlib.suppress(OSError):
                    pathlib.Path(f"/proc/{pid}", "root", f"{place}file").write_bytes(b"")
                    raise Fail(f"/{place} can be written to")


def has_no_shell():
    with image() as made:
        code, said = made.run("/bin/sh", "-c", "true")
        assert code != 0 and "No such file" in said, said


CHECKS = [
    ("confined, it gets healthy, answers, ends well and has one usage record", answers_and_ends),
    ("it can write to its state alone", writes_nowhere_else),
    ("there is no shell", has_no_shell),
]
