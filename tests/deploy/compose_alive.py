"""What compose.yaml starts, started by hand: Grafana would have something to show at once.

The gateway with the set's own configuration, its mock, Redis, Prometheus and load.py; only the addresses differ, since
here all is one machine, and Prometheus looks every second. Then the Overview's queries are asked.
"""

import contextlib
import json
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

import harness
import yaml
from live import panels
from live.watcher import Prometheus

from deploy import containers
from deploy.outcome import DEPLOY, ROOT, Fail, tool

DOCKER = DEPLOY / "docker"
RUNS = 22  # seconds of load
# Nothing is on fire in the demo.
EMPTY = ("Firing alerts",)


def free_ports():
    """Where each `host:port` of the set is on this machine."""
    hosts = ["gateway:4000", "gateway:4001", "mock:4010", "redis:6379"]
    return {host: f"127.0.0.1:{harness.free_port()}" for host in hosts}


def here(file, places):
    """A configuration of the set with this machine's addresses."""
    text = file.read_text(encoding="utf-8")
    for there, address in places.items():
        text = re.sub(rf"\b{there}\b", address, text)
    return text


class House:
    """The set, as far as it runs without containers."""

    def __init__(self, stack, folder):
        self.stack, self.folder, self.places = stack, folder, free_ports()
        services = containers.compose()["services"]
        stack.enter_context(harness.mock(self.places["mock:4010"]))
        self.redis(services["redis"]["command"])
        self.gateway()
        self.prometheus()
        self.load_command = services["load"]["command"]

    def redis(self, command):
        address = self.places["redis:6379"]
        options = command[1:] + ["--bind", "127.0.0.1", "--port", address.partition(":")[2]]
        self.start([tool("redis-server"), *options], lambda: harness.listens(address), "redis")

    def gateway(self):
        text = here(DOCKER / "sluice.yaml", self.places)
        for there, address in (("0.0.0.0:4000", "gateway:4000"), ("0.0.0.0:4001", "gateway:4001")):
            text = text.replace(there, self.places[address].replace("127.0.0.1", "0.0.0.0"))
        text = text.replace("state_dir: /var/lib/sluice", f"state_dir: {self.folder / 'state'}")
        (file := self.folder / "sluice.yaml").write_text(text, encoding="utf-8")
        subprocess.run([harness.SLUICE, "check", "--strict", file], check=True, stdout=subprocess.DEVNULL)
        health = [harness.SLUICE, "health", "--config", file]

        def healthy():
            return subprocess.run(health, capture_output=True, env=harness.clean_env()).returncode == 0

        self.start([harness.SLUICE, "serve", "--config", file], healthy, "gateway")

    def prometheus(self):
        config = yaml.safe_load(here(DOCKER / "prometheus.yml", self.places))
        config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        (self.folder / "rules.yml").write_bytes((DEPLOY / "prometheus/rules.yml").read_bytes())
        (file := self.folder / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
        tool("prometheus")
        log = self.stack.enter_context((self.folder / "prometheus.log").open("wb"))
        url = self.stack.enter_context(harness.prometheus(file, self.folder / "data", stderr=log))
        self.asked = Prometheus(url)

    def start(self, command, ready, name):
        log = self.stack.enter_context((self.folder / f"{name}.log").open("wb"))
        options = {"stdout": log, "stderr": subprocess.STDOUT, "cwd": self.folder}
        self.stack.enter_context(harness.running(command, ready, end=signal.SIGTERM, **options))

    def load(self, seconds):
        """Runs the load as compose does, ends it as compose does; what it counted."""
        command = [here_word(word, self.places) for word in self.load_command]
        command[command.index("/load.py")] = DOCKER / "load.py"
        process = subprocess.Popen([sys.executable, *command[1:]], stdout=-1, stderr=subprocess.STDOUT, text=True)
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
                raise Fail(f"load.py ended by itself: {process.communicate()[0]}")
            process.send_signal(signal.SIGTERM)
            said, _ = process.communicate(timeout=15)
        finally:
            process.kill()
        if process.returncode:
            raise Fail(f"load.py ended with {process.returncode}: {said}")
        return {what: int(count) for what, count in re.findall(r"([\w:. ]+?)=(\d+)\s", said.splitlines()[-1] + "\n")}


def here_word(word, places):
    for there, address in places.items():
        word = word.replace(there, address)
    return word


def of_the_load(seen):
    """What the load has to show within seconds, by its own count."""
    wanted = ("200", "429", "hit", "failover", "stream")
    wrong = [f"no {what}" for what in wanted if not seen.get(what)]
    wrong += [f"{seen[what]} times {what}" for what in seen if what not in {*wanted, "left", "not sent"}]
    if seen.get("200", 0) < 2 * RUNS:
        wrong.append(f"only {seen.get('200', 0)} answers in {RUNS} s")
    return [f"load.py saw {fault}: {seen}" for fault in wrong]


def of_the_overview(prometheus, start, end):
    """What is wrong with the panels of Grafana's home; and how many queries they have."""
    home = containers.compose()["services"]["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    board = json.loads((ROOT / "dashboards" / pathlib.Path(home).name).read_text(encoding="utf-8"))
    wrong, asked = [], 0
    for panel in panels.walk(board["panels"]):
        for target in panel.get("targets", []):
            asked += 1
            may_be_empty = {"": ".*"} if panel["title"].startswith(EMPTY) else None
            fault = panels.of_a_query(
                prometheus, target["expr"], start, end, target.get("instant", False), may_be_empty
            )
            wrong += [f"'{panel['title']}' {target['refId']} {fault}"] if fault else []
    return wrong, asked


def of_the_records(prometheus, end):
    """Several tenants, keys and models are told apart."""
    wrong = []
    for label, family in [
        ("tenant", "sluice_key_requests_total"),
        ("key", "sluice_key_requests_total"),
        ("model", "sluice_requests_total"),
    ]:
        found = prometheus.by(label, family, end)
        wrong += [] if len(found) >= 3 else [f"only {found} by {label}"]
    return wrong


def shows_data_at_once():
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        house = House(stack, pathlib.Path(folder))
        began = time.time()
        wrong = of_the_load(house.load(RUNS))
        time.sleep(2)  # a scrape later
        end = time.time()
        targets = house.asked.get("/api/v1/targets")["activeTargets"]
        wrong += [
            f"{target['scrapeUrl']} is {target['health']}: {target['lastError']}"
            for target in targets
            if target["health"] != "up"
        ]
        if [target["labels"]["job"] for target in targets] != ["sluice"]:
            wrong.append(f"targets: {targets}")
        found, asked = of_the_overview(house.asked, began, end)
        wrong += found + of_the_records(house.asked, end)
        if asked < 10:
            wrong.append(f"the Overview has {asked} queries")
        firing = house.asked.instant('ALERTS{alertstate="firing"}', end)
        wrong += [f"{alert['metric']['alertname']} fires" for alert in firing]
        with contextlib.suppress(urllib.error.HTTPError):
            urllib.request.urlopen(f"http://{house.places['gateway:4001']}/status", timeout=5)
            wrong.append("/status needs no token")
        assert not wrong, "\n".join(wrong)


def demo_key_answers():
    """The command in compose.yaml's first lines, as it is typed, but for the address."""
    text = (DOCKER / "compose.yaml").read_text(encoding="utf-8")
    typed = re.search(r"^#   (curl .*?[^\\])\n", text, re.MULTILINE | re.DOTALL)[1]
    typed = re.sub(r"\s*\\\n#\s*", " ", typed)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        house = House(stack, pathlib.Path(folder))
        command = typed.replace("127.0.0.1:4000", house.places["gateway:4000"])
        said = subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True, timeout=20, env=harness.clean_env()
        ).stdout
        assert json.loads(said or "{}").get("choices"), f"{command}\n{said}"
        for service, asked in (("mock", house.places["mock:4010"]), ("gateway", house.places["gateway:4001"])):
            # The image names a configuration, which the mock's container does not have.
            env = harness.clean_env(SLUICE_CONFIG="/etc/sluice/sluice.yaml")
            code = subprocess.run([harness.SLUICE, "health", "--admin", asked], capture_output=True, env=env).returncode
            assert code == 0, f"{service} is not healthy"


CHECKS = [
    ("the command of its first lines is answered, and all are healthy", demo_key_answers),
    (f"after {RUNS} s of load the Overview shows data", shows_data_at_once),
]
