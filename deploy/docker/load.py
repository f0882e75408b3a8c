#!/usr/bin/env python3
"""A small company's day in ten minutes, again and again, for compose.yaml: so that Grafana has something to show.

Five callers of three tenants ask six models, busier by day than by night. Some ask the same again (cache hits), most
stream, some leave early; one asks in bursts beyond its limit (429); now and then a provider fails for some seconds, and
its models are served by others. Whatever happens, no more than --rate requests a second are sent, and no more than
--threads at once. Needs Python alone. Ends within seconds at SIGTERM and SIGINT.
"""

import argparse
import collections
import http.client
import itertools
import json
import math
import queue
import random
import signal
import sys
import threading
import time
import urllib.parse
import urllib.request
from typing import NamedTuple

DAY = 600.0  # seconds
REPORT = 30.0  # seconds between lines about what was done
LEAVE = 3  # events that a caller who leaves early has read
BURST = 20.0  # seconds between bursts
TIMEOUT = 30.0

CHAT, COMPLETIONS, MESSAGES, EMBEDDINGS = "/v1/chat/completions", "/v1/completions", "/v1/messages", "/v1/embeddings"
TEXT = "the gateway counts what a tenant asked of its models and what a stream of tokens costs before it ends"


class Caller(NamedTuple):
    """Who asks, and how."""

    share: int  # of all requests, beside the others'
    streams: float
    seeded: float  # share that has a seed, and so may be a hit
    kinds: int  # how many seeds
    asks: list  # endpoint, model, weight


CALLERS = {
    "search-web": Caller(
        4, 0.8, 0.5, 4, [(CHAT, "gpt-4o-mini", 5), (CHAT, "llama-3.3-70b", 3), (EMBEDDINGS, "embed-small", 2)]
    ),
    "search-api": Caller(1, 0.0, 0.3, 6, [(COMPLETIONS, "gpt-4o-mini", 3), (CHAT, "gpt-4o", 1)]),
    "support-bot": Caller(
        3, 0.9, 0.1, 20, [(MESSAGES, "claude-sonnet", 4), (CHAT, "claude-sonnet", 2), (CHAT, "gpt-4o", 2)]
    ),
    "research": Caller(1, 0.4, 0.4, 8, [(CHAT, "gpt-4o", 3), (COMPLETIONS, "coder", 2), (CHAT, "claude-sonnet", 1)]),
    "nightly": Caller(
        2, 0.2, 0.6, 10, [(COMPLETIONS, "coder", 4), (CHAT, "llama-3.3-70b", 2), (EMBEDDINGS, "embed-small", 2)]
    ),
}


def steps(delays, gap, lengths, *more):
    """How a model usually is: time to think, pace and length in turn, and now and then something else."""
    usual = [{"delay_ms": delay, "like": f"mock-pace-{gap}-{length}"} for delay in delays for length in lengths]
    return usual[:2] + list(more) + usual[2:]


# What the mock does, by the model that it is asked for. One step fails: others are asked then.
MANNERS = {
    "gpt-4o": steps([180, 260, 420], 16, [40, 25, 60], {"status": 500}),
    "gpt-4o-eu": steps([240, 320], 20, [40, 30]),
    "gpt-4o-mini": steps([90, 120, 150, 260], 8, [30, 45, 20], {"status": 503}),
    "gpt-4o-mini-eu": steps([120, 160], 10, [30, 25]),
    "claude-sonnet-4-5": steps([300, 380, 600], 18, [50, 35]),
    "llama-3.3-70b": steps([110, 140, 200], 6, [60, 45], {"delay_ms": 90, "like": "mock-cut-9"}),
    "qwen-coder": steps([70, 100, 160], 12, [40, 25]),
    "text-embedding-3-small": [{"delay_ms": delay} for delay in (20, 30, 45)],
}
DOWN, LIMITED = [{"status": 503}], [{"status": 429, "headers": {"retry-after": "5"}}]
# From when to when of a day a model does something else.
TROUBLES = [
    (0.20, 0.26, "gpt-4o", DOWN),
    (0.45, 0.49, "llama-3.3-70b", LIMITED),
    (0.66, 0.72, "claude-sonnet-4-5", DOWN),
    (0.85, 0.88, "gpt-4o-mini-eu", DOWN),
]


def busy(at):
    """How much is asked so long after the start, which is at eight in the morning: from 0.3 by night to 1."""
    return 0.65 - 0.35 * math.cos(2 * math.pi * (at / DAY + 8 / 24))


def in_force(at):
    """What the mock has to do at a time of the day."""
    part = at % DAY / DAY
    return MANNERS | {model: script for start, end, model, script in TROUBLES if start <= part < end}


def tell(mock, manners):
    scripts = [{"model": model, "script": script, "repeat": True} for model, script in manners.items()]
    body = json.dumps({"models": scripts}).encode()
    urllib.request.urlopen(f"{mock}/__mock/config", body, timeout=5).read()


def text(chance, count):
    words = TEXT.split()
    return " ".join(chance.choice(words) for _ in range(count))


def request(chance, caller):
    """One request of a caller: path and body. The same seed makes the same body."""
    who = CALLERS[caller]
    path, model, _ = chance.choices(who.asks, [weight for *_, weight in who.asks])[0]
    seed = chance.randrange(who.kinds) if chance.random() < who.seeded else None
    stream = path != EMBEDDINGS and chance.random() < who.streams
    says = random.Random(f"{caller} {path} {model} {seed}") if seed is not None else chance
    shared, own = text(random.Random(caller), 150), text(says, 40)
    body = {"model": model}
    if path == CHAT:
        body |= {"messages": [{"role": "system", "content": shared}, {"role": "user", "content": own}]}
    elif path == COMPLETIONS:
        body |= {"prompt": f"{shared} {own}", "max_tokens": 120}
    elif path == MESSAGES:
        system = [{"type": "text", "text": shared, "cache_control": {"type": "ephemeral"}}]
        body |= {"system": system, "messages": [{"role": "user", "content": own}], "max_tokens": 300}
    else:
        body |= {"input": own}
    if seed is not None and path in (CHAT, COMPLETIONS):
        body["seed"] = seed
    return path, body | ({"stream": True} if stream else {})


class Sender(threading.Thread):
    """Sends what the queue holds, one after the other, over a connection that it keeps."""

    def __init__(self, gateway, work, seen):
        super().__init__(daemon=True)
        self.gateway, self.work, self.seen, self.connection = gateway, work, seen, None

    def run(self):
        while (job := self.work.get()) is not None:
            try:
                self.send(*job)
            except (OSError, http.client.HTTPException) as error:
                self.seen[type(error).__name__] += 1
                self.leave()

    def send(self, caller, path, body, leaves):
        if self.connection is None:
            self.connection = http.client.HTTPConnection(self.gateway, timeout=TIMEOUT)
        headers = {"authorization": f"Bearer sluice-demo-{caller}", "content-type": "application/json"}
        headers |= {"anthropic-version": "2023-06-01"} if path == MESSAGES else {}
        self.connection.request("POST", path, json.dumps(body), headers | {"x-sluice-tags": f"project={caller}"})
        answer = self.connection.getresponse()
        self.seen[str(answer.status)] += 1
        self.seen["hit"] += (answer.getheader("x-sluice-cache") or "").startswith("hit")
        self.seen["failover"] += (answer.getheader("x-sluice-attempts") or "0") > "1"
        self.seen["stream"] += body.get("stream", False)
        if leaves and answer.status == 200:
            # An event and the empty line after it.
            for _ in itertools.islice(answer, 2 * LEAVE):
                pass
            self.seen["left"] += 1
            self.leave()
        else:
            answer.read()

    def leave(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None


class Load:
    """The day as it goes on."""

    def __init__(self, options):
        self.options, self.chance = options, random.Random(options.seed)
        self.work, self.seen = queue.Queue(maxsize=options.threads), collections.Counter()
        self.stop = threading.Event()
        gateway = urllib.parse.urlsplit(options.gateway).netloc
        self.senders = [Sender(gateway, self.work, self.seen) for _ in range(options.threads)]
        self.told = None

    def put(self, caller):
        path, body = request(self.chance, caller)
        leaves = body.get("stream", False) and self.chance.random() < 0.04
        try:
            self.work.put_nowait((caller, path, body, leaves))
        except queue.Full:
            self.seen["not sent"] += 1  # all are busy: less is asked, and nothing piles up

    def keep_manners(self, at):
        """Tells the mock what changes; one that was away is told all again with the next change."""
        manners = in_force(at)
        if manners != self.told:
            try:
                tell(self.options.mock, manners)
                self.told = manners
            except OSError as error:
                self.seen[f"mock: {type(error).__name__}"] += 1

    def run(self):
        for sender in self.senders:
            sender.start()
        began = time.monotonic()
        reported, burst, due = began, began - BURST / 2, began
        names, shares = list(CALLERS), [caller.share for caller in CALLERS.values()]
        while not self.stop.is_set():
            now = time.monotonic()
            self.keep_manners(now - began)
            if now - burst >= BURST:
                burst = now
                for _ in range(self.options.threads // 2):
                    self.put("search-api")
                due += self.options.threads // 2 / self.options.rate  # a burst counts, too
            if now >= due:
                self.put(self.chance.choices(names, shares)[0])
                due = max(due, now - 1.0) + 1 / (self.options.rate * busy(now - began))
            if now - reported >= REPORT:
                reported = now
                self.report()
            self.stop.wait(max(0.001, min(due - time.monotonic(), 0.5)))
        while not self.work.empty():
            self.work.get_nowait()
        for _ in self.senders:
            self.work.put(None)
        late = time.monotonic() + 10
        for sender in self.senders:
            sender.join(max(0.0, late - time.monotonic()))
        self.report()

    def report(self):
        print(" ".join(f"{what}={count}" for what, count in sorted(self.seen.items()) if count), flush=True)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--gateway", default="http://127.0.0.1:4000", help="the api listener")
    options.add_argument("--mock", default="http://127.0.0.1:4010", help="the `sluice mock` behind it")
    options.add_argument("--rate", type=float, default=6.0, help="requests a second at noon, at most (default 6)")
    options.add_argument("--threads", type=int, default=32, help="requests at once, at most (default 32)")
    options.add_argument("--seed", type=int, default=7, help="draws the day (default 7)")
    load = Load(options.parse_args())
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda *_: load.stop.set())
    load.run()


if __name__ == "__main__":
    sys.exit(main())
