"""What runs: Redis, mocks, two gateways that share everything, and Prometheus with our own example and rules."""

import contextlib
import json
import pathlib
import random
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request

import harness
import yaml

from live import alerts

OUT = harness.ROOT / "target/live"
DEPLOY = harness.ROOT / "deploy/prometheus"
REPLICAS = ["sluice-0", "sluice-1"]

# Name, tenant, what it may ask for, and its limits.
KEYS = [
    ("search-web", "search", '["*"]', ""),
    ("search-api", "search", '["*"]', "limits: {requests: {rate: 150/min, burst: 8}}"),
    ("support-bot", "support", '["*"]', ""),
    (
        "support-agents",
        "support",
        '["*"]',
        "limits: {concurrency: 2, queue: {max_wait: 200ms, size: 4}}",
    ),
    ("research-notebook", "research", '["*"]', "limits: {tokens: {rate: 90000/min, burst: 9000}}"),
    ("research-eval", "research", '["*"]', "cache: {mode: deterministic}"),
    ("nightly", "batch", '["*"]', "budget: {usd: 0.05, per: day}"),
    ("intern", "batch", '["gpt-4o-mini", "o1"]', "budget: {usd: 0.10, per: day}"),
    ("expired", "batch", '["*"]', "expires: 2024-01-01"),
]

SETTINGS = """version: 1
listeners: {{api: {{bind: "{api}"}}, admin: {{bind: "{admin}"}}}}
redis: {{urls: ["redis://{redis}"]}}
providers:
  - name: openai
    kind: openai
    base_url: "http://{mock}/strict/v1"
    allow_private: true
    keys: [{{name: main, value: sk-main, weight: 3}}, {{name: spare, value: sk-spare}}]
    timeouts: {{first_byte: 1500ms, idle: 1s}}
  - name: azure
    kind: azure
    base_url: "http://{mock}/openai/v1"
    allow_private: true
    keys: [{{name: eu, value: az-eu}}]
    timeouts: {{first_byte: 1500ms, idle: 1s}}
  - name: anthropic
    kind: anthropic
    base_url: "http://{mock}/anthropic/v1"
    allow_private: true
    keys: [{{name: main, value: sk-ant-main}}]
    timeouts: {{first_byte: 1500ms, idle: 1s}}
  - name: groq
    kind: openai_compatible
    base_url: "http://{mock}/chat-only/v1"
    endpoints: [chat, embeddings]
    allow_private: true
    keys: [{{name: one, value: gsk-1}}, {{name: two, value: gsk-2}}, {{name: three, value: gsk-3}}]
    timeouts: {{first_byte: 1500ms, idle: 1s}}
    limits: {{requests: {{rate: 600/min, burst: 12}}}}
  - name: gpu
    kind: vllm
    base_url: "http://{gpu}/v1"
    allow_private: true
    timeouts: {{connect: 1s, first_byte: 1500ms, idle: 1s}}
    on_client_disconnect: drain
prices:
  - {{provider: openai, model: o1, input: 15, cached_input: 7.5, output: 60}}
  - {{provider: openai, model: gpt-4.1, input: 2, cached_input: 0.5, output: 8}}
  - {{provider: openai, model: gpt-4o, input: 2.5, cached_input: 1.25, output: 10}}
  - {{provider: openai, model: gpt-4o-mini, input: 0.15, cached_input: 0.075, output: 0.6}}
  - {{provider: openai, model: text-embedding-3-small, input: 0.02, output: 0}}
  - {{provider: azure, model: gpt-4o-eu, input: 2.75, cached_input: 1.375, output: 11}}
  - {{provider: azure, model: gpt-4o-mini-eu, input: 0.165, cached_input: 0.0825, output: 0.66}}
  - {{provider: anthropic, model: "*", input: 3, cached_input: 0.3, cache_write: 3.75, output: 15}}
  - {{provider: groq, model: "*", input: 0.59, output: 0.79}}
  - {{provider: gpu, model: qwen-coder, input: 0.1, output: 0.1}}
  - {{provider: gpu, model: llama-3.3-70b, input: 0.1, output: 0.1}}
models:
  - name: gpt-4o
    targets: [{{provider: openai, model: gpt-4o}}, {{provider: azure, model: gpt-4o-eu, priority: 1}}]
    hedge: {{after: p95, max_ratio: 20%}}
  - name: gpt-4o-mini
    targets:
      - {{provider: openai, model: gpt-4o-mini, weight: 70}}
      - {{provider: azure, model: gpt-4o-mini-eu, weight: 30}}
  - name: claude-sonnet
    targets: [{{provider: anthropic, model: claude-sonnet-4-5}}]
    fallbacks: [gpt-4o]
  - {{name: claude-haiku, targets: [{{provider: anthropic, model: claude-haiku-4-5}}]}}
  - name: llama-3.3-70b
    targets: [{{provider: groq, model: llama-3.3-70b}}, {{provider: gpu, model: llama-3.3-70b, priority: 1}}]
    resume: deterministic
  - {{name: llama-fast, targets: [{{provider: groq, model: llama-3.1-8b}}]}}
  - {{name: coder, targets: [{{provider: gpu, model: qwen-coder}}], context_window: 32768, max_output_tokens: 4096}}
  - {{name: gpt-4.1, targets: [{{provider: openai, model: gpt-4.1}}]}}
  - {{name: o1, targets: [{{provider: openai, model: o1}}]}}
  - {{name: embed-small, targets: [{{provider: openai, model: text-embedding-3-small}}]}}
  # Nobody has written down what these cost.
  - {{name: "preview-*", targets: [{{provider: gpu, model: "preview-*"}}]}}
cache: {{mode: seeded, ttl: 1h, memory: {memory}, max_entry: 16KiB, allow_force: true}}
limits: {{requests: {{rate: 6000/min, burst: 200}}, tokens: {{rate: 4000000/min}}, concurrency: 60}}
resilience: {{circuit: {{consecutive_failures: 3, open_for: 500ms, max_open: 2s}}, commit_after: 5s}}
tenants:
  - {{name: search, budget: {{usd: 0.10, per: month, warn_at: [75%, 90%]}}}}
  - {{name: support, budget: {{usd: 0.50, per: month, warn_at: [50%, 90%]}}}}
  - {{name: research, budget: {{usd: 0.80, per: month}}}}
  - {{name: batch, budget: {{usd: 0.25, per: month}}}}
auth: {{mode: keys}}
keys:
{keys}
"""


def steady_port():
    """A free port that no outgoing connection is given while what listens there is switched off for a while."""
    while True:
        port = random.randrange(20_000, 30_000)
        with contextlib.suppress(OSError), socket.socket() as listener:
            listener.bind(("127.0.0.1", port))
            return port


class Replica:
    """One of the gateways: where it is, and what it was told."""

    def __init__(self, name, folder, redis, mock, gpu, keys):
        self.name, self.folder = name, folder
        self.api, self.admin = f"127.0.0.1:{harness.free_port()}", f"127.0.0.1:{harness.free_port()}"
        self.config = folder / "sluice.yaml"
        self.values = {"api": self.api, "admin": self.admin, "redis": redis, "mock": mock, "gpu": gpu, "keys": keys}
        self.write()

    def write(self, memory="384KiB", more=""):
        """Writes the configuration; Sluice is not told."""
        self.config.write_text(SETTINGS.format(**self.values, memory=memory) + more, encoding="utf-8")

    def tell(self, path, body=None):
        """Posts to the admin listener; the status."""
        data = json.dumps(body).encode() if body is not None else b""
        try:
            return urllib.request.urlopen(urllib.request.Request(f"http://{self.admin}{path}", data), timeout=5).status
        except urllib.error.HTTPError as error:
            return error.code

    def metrics(self):
        return urllib.request.urlopen(f"http://{self.admin}/metrics", timeout=5).read().decode()


class House:
    """Everything that runs, and switches for its parts."""

    def __init__(self, redis, mock, gpu, keys, stack):
        self.mock, self.gpu, self.keys = mock, gpu, keys
        self._redis, self._stack, self._open = redis, stack, {}
        self.replicas, self.prometheus = [], None

    def tell_mock(self, *models, mock=None):
        """Sets scripts: pairs of a model and its steps, which repeat; no steps make it itself again."""
        scripts = [{"model": model, "script": steps, "repeat": True} for model, steps in models]
        body = json.dumps({"models": scripts}).encode()
        urllib.request.urlopen(f"http://{mock or self.mock}/__mock/config", body, timeout=5).read()

    def stats(self, mock):
        return json.load(urllib.request.urlopen(f"http://{mock}/__mock/stats", timeout=5))

    def redis_on(self):
        self._on("redis", harness.redis(self._redis))

    def redis_off(self):
        self._off("redis")

    def gpu_on(self):
        self._on("gpu", harness.mock(self.gpu))

    def gpu_off(self):
        self._off("gpu")

    def start(self, replica):
        log = self._stack.enter_context((OUT / f"{replica.name}.log").open("wb"))
        ready = f"http://{replica.admin}/readyz"
        command = [harness.SLUICE, "serve", "--config", replica.config]
        self._on(
            replica.name,
            harness.running(
                command, lambda: harness.answers(ready), cwd=replica.folder, stdout=log, stderr=subprocess.STDOUT
            ),
        )

    def stop(self, replica):
        self._off(replica.name)

    def _on(self, name, manager):
        stack = self._stack.enter_context(contextlib.ExitStack())
        stack.enter_context(manager)
        self._open[name] = stack

    def _off(self, name):
        self._open.pop(name).close()


def prometheus_config(replicas):
    """Our example with its times made short, and the rules likewise; the file's path."""
    config = yaml.safe_load((DEPLOY / "prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    (job,) = config["scrape_configs"]
    job["static_configs"] = [
        {"targets": [replica.admin], "labels": {"instance": f"{replica.name}:4001"}} for replica in replicas
    ]
    (OUT / "rules.yml").write_text(alerts.in_short((DEPLOY / "rules.yml").read_text(encoding="utf-8")))
    # For whoever looks at the data afterwards, when nobody is left to be scraped.
    (OUT / "replay.yml").write_text("global: {}\n", encoding="utf-8")
    file = OUT / "prometheus.yml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    return file, job["job_name"]


@contextlib.contextmanager
def house():
    """Starts all of it in an empty target/live."""
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    with contextlib.ExitStack() as stack:
        redis, gpu = (f"127.0.0.1:{steady_port()}" for _ in range(2))
        mock = stack.enter_context(harness.mock())
        keys, lines = {}, []
        for name, tenant, models, more in KEYS:
            keys[name], digest = harness.new_key(name, tenant)
            more = f", {more}" if more else ""
            lines.append(f'  - {{name: {name}, tenant: {tenant}, hash: "{digest}", models: {models}{more}}}')
        home = House(redis, mock, gpu, keys, stack)
        home.redis_on()
        home.gpu_on()
        for name in REPLICAS:
            folder = OUT / name
            folder.mkdir()
            home.replicas.append(Replica(name, folder, redis, mock, gpu, "\n".join(lines)))
            home.start(home.replicas[-1])
        config, home.job = prometheus_config(home.replicas)
        log = stack.enter_context((OUT / "prometheus.log").open("wb"))
        home.prometheus = stack.enter_context(harness.prometheus(config, OUT / "prometheus", stderr=log))
        home.began = time.time()
        yield home


def usage_records(replica):
    """What the replica's ledger holds, by `sluice usage`."""
    command = [harness.SLUICE, "usage", "--records", "--json", "--limit", "100000", "--config", replica.config]
    told = subprocess.run(command, capture_output=True, text=True, check=True, cwd=replica.folder)
    return [json.loads(line) for line in told.stdout.splitlines()]


def request_lines(replica):
    """The lines of its log that tell of requests."""
    text = pathlib.Path(OUT, f"{replica.name}.log").read_text(encoding="utf-8")
    lines = (json.loads(line) for line in text.splitlines() if line.startswith("{"))
    return [line for line in lines if line.get("event") == "request"]
