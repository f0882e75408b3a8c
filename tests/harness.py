"""Starts the release binary for the suites that are not Rust: the mock upstream, and Sluice in front of it.

Everything listens on loopback ports that were free a moment ago, so that several runs do not meet.
"""

import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
SLUICE = pathlib.Path(os.environ.get("SLUICE_BIN", ROOT / "target/release/sluice"))


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def clean_env(**extra):
    """The environment without anything that would change what Sluice or an SDK does."""
    ours = re.compile(r"SLUICE|_API_KEY$|_BASE_URL$|_PROXY$|^OTEL_", re.IGNORECASE)
    return {name: value for name, value in os.environ.items() if not ours.search(name)} | extra


def wait_until(ready, process, what, seconds):
    deadline = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None:
            raise RuntimeError(f"{what} ended by itself with {process.returncode}")
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what} is not ready after {seconds} s")
        time.sleep(0.01)


def answers(url):
    """True when the URL answers at all with less than 500."""
    try:
        return urllib.request.urlopen(url, timeout=2).status < 500
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False


def listens(address):
    """True when something accepts connections at `ip:port`."""
    host, _, port = address.partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=2).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def running(command, ready, *, cpu=None, seconds=20, patience=5, end=signal.SIGINT, **options):
    """A child process that is ready when the block starts and gone when it ends: by itself, where it has the time."""
    if cpu is not None:
        command = ["taskset", "-c", str(cpu), *command]
    process = subprocess.Popen(command, env=clean_env(), stdin=subprocess.DEVNULL, **options)
    try:
        wait_until(ready, process, command[0], seconds)
        yield process
    finally:
        process.send_signal(end)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def mock(address=None, **options):
    """`sluice mock`; yields its address, `127.0.0.1:port`."""
    address = address or f"127.0.0.1:{free_port()}"
    command = [SLUICE, "mock", "--listen", address]
    with running(command, lambda: listens(address), stdout=subprocess.DEVNULL, **options):
        yield address


@contextlib.contextmanager
def redis(address=None):
    """A Redis that keeps nothing on disk; yields its address."""
    address = address or f"127.0.0.1:{free_port()}"
    command = ["redis-server", "--bind", "127.0.0.1", "--port", address.partition(":")[2], "--save", ""]
    with tempfile.TemporaryDirectory() as folder:
        with running(command, lambda: listens(address), cwd=folder, stdout=subprocess.DEVNULL, end=signal.SIGTERM):
            yield address


@contextlib.contextmanager
def prometheus(config, data, **options):
    """Prometheus with a configuration and a folder for its data, which is whole afterwards; yields its URL."""
    address = f"127.0.0.1:{free_port()}"
    command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={data}"]
    command += [f"--web.listen-address={address}", "--log.level=warn"]
    with running(command, lambda: answers(f"http://{address}/-/ready"), end=signal.SIGTERM, **options):
        yield f"http://{address}"


def new_key(name, tenant="default"):
    """A fresh key: its secret and its entry's hash."""
    made = subprocess.run([SLUICE, "key", "new", name, "--tenant", tenant], capture_output=True, text=True, check=True)
    secret = re.search(r"sk-sluice-\S+", made.stdout).group()
    return secret, re.search(r"blake3:[0-9a-f]{64}", made.stdout + made.stderr).group()


class Gateway:
    """A running Sluice."""

    def __init__(self, api, admin, key, process):
        self.api, self.admin, self.key, self.pid = f"http://{api}", f"http://{admin}", key, process.pid


def configured(
    upstream,
    models,
    *,
    more="",
    more_providers=(),
    provider_members="",
    key_members='models: ["*"]',
    more_keys="",
):
    """A configuration in front of one `openai_compatible` upstream, with one key: the key, the text, both addresses.

    `models` are names or whole entries; `more` is further YAML at top level, `provider_members` a further line of
    the provider. `more_providers` are whole entries beside it.
    """
    api, admin = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    key, digest = new_key("suite")
    entry = "  - {{name: {0}, targets: [{{provider: up, model: {0}}}]}}"
    lines = [model if model.lstrip().startswith("-") else entry.format(model) for model in models]
    text = f"""version: 1
listeners: {{api: {{bind: "{api}"}}, admin: {{bind: "{admin}"}}}}
providers:
  - name: up
    kind: openai_compatible
    base_url: "http://{upstream}/v1"
    allow_private: true
    keys: [{{name: main, value: sk-provider-secret}}]
    {provider_members}
{chr(10).join(more_providers)}
models:
{chr(10).join(lines)}
auth: {{mode: keys}}
keys:
  - {{name: suite, hash: "{digest}", {key_members}}}
{more_keys}{more}
"""
    return key, text, api, admin


@contextlib.contextmanager
def gateway(upstream, models, *, log=subprocess.DEVNULL, cpu=None, seconds=20, patience=5, binary=None, **members):
    """Sluice, configured so; `binary` is another one than the usual."""
    key, text, api, admin = configured(upstream, models, **members)
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder, "sluice.yaml")
        config.write_text(text, encoding="utf-8")
        command = [binary or SLUICE, "serve", "--config", config]
        options = {"cpu": cpu, "seconds": seconds, "patience": patience, "cwd": folder, "stdout": log}
        with running(command, lambda: answers(f"http://{admin}/readyz"), **options) as process:
            yield Gateway(api, admin, key, process)
