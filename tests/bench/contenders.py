"""Who is measured: the floor in both forms, nginx as a practical proxy, and Sluice in some configurations."""

import contextlib
import dataclasses
import os
import pathlib
import secrets
import subprocess
import tempfile
import urllib.request

import harness

from bench import builds
from bench.session import NGINX

BIN = builds.USUAL.parent
KEYS = 300  # so that a key is looked up among many

# No limit is met: a refusal would be no answer.
ROOM = "limits: {requests: {rate: 100000000/min}, tokens: {rate: 100000000000/min}, concurrency: 100000}"
CACHE = "cache: {mode: seeded, memory: 64MiB, redis: false}"
PLAIN = f"{ROOM}\n{CACHE}\n"


@dataclasses.dataclass
class Contender:
    """Something that passes requests on to the mock, or the mock itself."""

    name: str
    url: str
    pid: int | None
    headers: tuple = ()
    admin: str = ""
    model: str = "bench"
    path: str = "/v1/chat/completions"

    def metric(self, name, label=""):
        """The sum of a metric's series, of those with a label where one is named."""
        text = urllib.request.urlopen(f"{self.admin}/metrics", timeout=10).read().decode()
        lines = [line for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{")) and label in line]
        return sum(float(line.rpartition(" ")[2]) for line in lines)


def set_mock(address, latency_us=0, chunks=100, gap_us=0, size=1024, noise=0):
    query = f"latency_us={latency_us}&chunks={chunks}&gap_us={gap_us}&size={size}&noise={noise}"
    request = urllib.request.Request(f"http://{address}/__mock/config?{query}", data=b"", method="POST")
    urllib.request.urlopen(request, timeout=10).read()


def direct(session):
    """The mock alone, from which added time counts."""
    return Contender("direct", f"http://{session.mock}", None)


def floor_command(session, address, inspect):
    return [BIN / "floor", "--listen", address, "--upstream", session.mock, *(["--inspect"] if inspect else [])]


@contextlib.contextmanager
def floor(session, inspect=True):
    """The bare hyper proxy; with `inspect` the one that ratios refer to, which reads model, stream and usage."""
    address = f"127.0.0.1:{harness.free_port()}"
    command = floor_command(session, address, inspect)
    with harness.running(command, lambda: harness.listens(address), cpu=session.ours) as process:
        yield Contender("floor" if inspect else "bare", f"http://{address}", process.pid)


@contextlib.contextmanager
def answering(session, size=1024):
    """hyper alone, which asks nobody and answers so many bytes."""
    address = f"127.0.0.1:{harness.free_port()}"
    command = [BIN / "floor", "--listen", address, "--answer", str(size)]
    with harness.running(command, lambda: harness.listens(address), cpu=session.ours) as process:
        yield Contender("bare", f"http://{address}", process.pid)


# One worker, as the others have one core; connections stay open on both sides; streams go through at once; a prompt
# of a megabyte stays in memory. No access log, so less than what Sluice does.
NGINX_CONF = """daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1; {user}
events {{ worker_connections 16384; }}
http {{
  access_log off; keepalive_requests 1000000000; client_max_body_size 0; client_body_buffer_size 8m; tcp_nodelay on;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream mock {{ server {mock}; keepalive 128; keepalive_requests 1000000000; }}
  server {{
    listen {address} backlog=4096;
    location / {{
      proxy_pass http://mock; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
      proxy_set_header Authorization "Bearer sk-upstream"; proxy_read_timeout 300s;
    }}
  }}
}}
"""


def nginx_command(session, address, folder):
    user = f"user {pathlib.Path(folder).owner()};" if os.geteuid() == 0 else ""
    config = pathlib.Path(folder, "nginx.conf")
    config.write_text(NGINX_CONF.format(folder=folder, mock=session.mock, address=address, user=user), encoding="utf-8")
    return [NGINX, "-p", folder, "-c", config]


@contextlib.contextmanager
def nginx(session):
    address = f"127.0.0.1:{harness.free_port()}"
    with tempfile.TemporaryDirectory() as folder:
        command = nginx_command(session, address, folder)
        ready = lambda: harness.listens(address)  # noqa: E731
        options = {"cpu": session.ours, "stderr": subprocess.DEVNULL}
        with harness.running(command, ready, **options) as process:
            yield Contender("nginx", f"http://{address}", process.pid)


def keys(count):
    """Entries of keys that nobody knows. A configuration may have 8 MiB, so what all hashes end in is in a variable."""
    os.environ.setdefault("BENCH_TAIL", secrets.token_hex(24))
    entry = '  - {{name: k{}, hash: "blake3:{}${{BENCH_TAIL}}", models: ["*"]}}\n'
    return "".join(entry.format(n, secrets.token_hex(8)) for n in range(count))


@contextlib.contextmanager
def sluice(session, more=PLAIN, models=("bench",), key_count=KEYS, model="bench", **members):
    """Sluice with its key among many, metrics, the ledger in a file and one line a request to a file."""
    options = {"more": more, "more_keys": keys(key_count), "log": session.log, "cpu": session.ours, "seconds": 120}
    with harness.gateway(session.mock, models, **options, **members) as gateway:
        headers = (f"authorization: Bearer {gateway.key}",)
        yield Contender("sluice", gateway.api, gateway.pid, headers, gateway.admin, model)


def proxies(session, stack):
    """The floor in both forms and nginx, as far as they are not left out."""
    makers = {"bare": lambda: floor(session, inspect=False), "floor": lambda: floor(session)}
    makers["nginx"] = lambda: nginx(session)
    return [stack.enter_context(make()) for name, make in makers.items() if name not in session.without]


@contextlib.contextmanager
def redis(session):
    """A Redis beside the mock; yields the configuration's line for it."""
    address = f"127.0.0.1:{harness.free_port()}"
    command = ["redis-server", "--port", address.rpartition(":")[2], "--bind", "127.0.0.1", "--save", ""]
    options = {"cpu": session.theirs, "stdout": subprocess.DEVNULL}
    with harness.running(command, lambda: harness.listens(address), **options):
        # Its core is the busy one here: what comes late is late, not lost.
        yield f'redis: {{urls: ["redis://{address}"], timeout: 1s}}\n'
