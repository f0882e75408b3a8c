"""The day: a night, a morning, and a list of misfortunes, each with what it is meant to show.

Times are seconds from its beginning. Everything that is drawn at random is drawn from one seed.
"""

import contextlib
import math
import random
import sqlite3
import threading
import time

from live.traffic import CHAT, COMPLETIONS, EMBEDDINGS, MESSAGES, MODELS, RESPONSES, Call

LENGTH = 56
COLLAPSE = (36, 45)  # nobody asks anything that was asked before


def busy(t):
    """How much of a day's work is done: little at its ends, a dip at noon."""
    day = math.sin(math.pi * min(1.0, max(0.0, (t + 6) / (LENGTH + 12)))) ** 1.2
    return day * (1 - 0.3 * math.exp(-(((t - 27) / 3) ** 2)))


# Who, requests a second at the busiest, what, share of streams, share of seeds and of how many.
CALLERS = [
    (
        "search-web",
        13,
        [(CHAT, "gpt-4o-mini", 5), (EMBEDDINGS, "embed-small", 2), (CHAT, "preview-1", 0.4)],
        0.4,
        0.6,
        25,
    ),
    ("search-api", 4, [(CHAT, "llama-3.3-70b", 3), (EMBEDDINGS, "embed-small", 1)], 0.2, 0.6, 15),
    (
        "support-bot",
        8,
        [(CHAT, "gpt-4o", 3), (MESSAGES, "claude-sonnet", 3), (MESSAGES, "claude-haiku", 2)],
        0.8,
        0.3,
        12,
    ),
    ("support-agents", 2.5, [(MESSAGES, "claude-sonnet", 1), (CHAT, "llama-3.3-70b", 1)], 0.9, 0.1, 5),
    ("research-notebook", 2.5, [(RESPONSES, "o1", 2), (COMPLETIONS, "coder", 3)], 0.5, 0.3, 8),
    ("research-eval", 3, [(CHAT, "llama-fast", 2), (CHAT, "gpt-4o-mini", 1)], 0.0, 0.7, 30),
    ("nightly", 5, [(COMPLETIONS, "coder", 3), (CHAT, "gpt-4o-mini", 1), (CHAT, "llama-3.3-70b", 1)], 0.3, 0.2, 40),
    ("intern", 0.8, [(CHAT, "gpt-4o-mini", 1), (CHAT, "o1", 2)], 0.5, 0.0, 1),
]


def calls():
    """All calls of the day."""
    chance = random.Random(7)
    made, fresh = [], 10_000
    for key, most, mixture, streams, seeds, kinds in CALLERS:
        t = 0.0
        while (t := t + chance.expovariate(most)) < LENGTH:
            # The batch works while others sleep.
            share = 1.2 - busy(t) if key == "nightly" else busy(t)
            if chance.random() > share:
                continue
            endpoint, model, _ = chance.choices(mixture, [weight for *_, weight in mixture])[0]
            seed = None
            if chance.random() < seeds or endpoint == EMBEDDINGS:
                seed = chance.randrange(kinds)
                if COLLAPSE[0] <= t < COLLAPSE[1]:
                    fresh += 1
                    seed = fresh
            stream = endpoint != EMBEDDINGS and chance.random() < streams
            call = Call(t, key, endpoint, model, stream, seed, replica=chance.randrange(2))
            if key == "research-eval" and endpoint == CHAT:
                call.more["temperature"] = 0
            made.append(call)
            # Whoever asks often asks the same at the same time.
            if seed is not None and chance.random() < 0.08:
                twin = {"more": call.more, "replica": call.replica}
                made += [Call(t + 0.01, key, endpoint, model, stream, seed, **twin) for _ in range(2)]
    return made + strangers(chance)


def strangers(chance):
    """Calls that are made to show one thing each, all day long."""
    made = []
    for t in range(1, LENGTH - 2):
        at = t + chance.random()
        replica = chance.randrange(2)

        def call(*what, at=at, replica=replica, **more):
            made.append(Call(at, *what, replica=replica, **more))

        match t % 8:
            case 0:
                call("", CHAT, "gpt-4o-mini")
                call("sk-sluice-unknown", CHAT, "gpt-4o-mini")
            case 1:
                call("expired", CHAT, "gpt-4o-mini")
                call("intern", CHAT, "gpt-4o")
                call("search-web", MODELS, "")
            case 2:
                call("search-web", CHAT, "no-such-model")
                call("search-web", CHAT, "gpt-4o-mini", more={"messages": 7})
            case 3:
                call("search-web", CHAT, "gpt-4.1", stream=True, leave_after=3)
                call("support-bot", CHAT, "gpt-4.1", stream=True, leave_after=4)
            case 4:
                call("nightly", COMPLETIONS, "coder", seed=9000 + t, headers={"x-sluice-cache-ttl": "4"})
                call("search-web", CHAT, "gpt-4o-mini", seed=3, headers={"cache-control": "no-store"})
                call("search-web", CHAT, "gpt-4o-mini", seed=8_000_000 + t, headers={"cache-control": "only-if-cached"})
            case 5:
                call("search-web", CHAT, "gpt-4o", headers={"x-sluice-timeout-ms": "60"})
                call("support-bot", CHAT, "gpt-4.1", leave_after=0)
            case 6:
                # Longer than may be kept.
                call("nightly", CHAT, "preview-long", seed=7000 + t)
                for _ in range(12):  # more than a burst
                    call("search-api", EMBEDDINGS, "embed-small", seed=chance.randrange(9))
            case 7:
                for _ in range(7):  # more than may be in flight or wait
                    call("support-agents", CHAT, "llama-3.3-70b", stream=True)
                for _ in range(14):  # more than groq's own limit
                    call("research-eval", CHAT, "llama-fast", seed=chance.randrange(10**6))
    return made


def paced(model, delays, gaps, lengths):
    """How a model usually is: a time to think, a pace and a length, in turn."""
    steps = [
        {"delay_ms": delay, "like": f"mock-pace-{gap}-{length}"}
        for delay, gap, length in zip(delays * 5, gaps * 5, lengths * 5, strict=False)
    ]
    return model, steps


MANNERS = [
    paced("gpt-4o", [180, 260, 220, 420, 200], [14, 18, 22], [40, 25, 60, 35]),
    # So slow and so long that whoever leaves it early does so before its end on any machine.
    paced("gpt-4.1", [900], [40], [120]),
    paced("o1", [500, 700, 600, 900], [10, 14], [60, 90]),
    paced("gpt-4o-eu", [240, 320, 280], [18, 22], [40, 30]),
    paced("gpt-4o-mini", [90, 120, 150, 100, 260], [7, 9, 11], [30, 45, 20]),
    paced("gpt-4o-mini-eu", [120, 160, 140], [9, 11], [30, 25]),
    paced("text-embedding-3-small", [20, 30, 25, 45], [1], [1]),
    paced("claude-sonnet-4-5", [300, 380, 340, 600], [16, 20], [50, 35, 45]),
    paced("claude-haiku-4-5", [140, 180, 160], [9, 12], [30, 40]),
    paced("llama-3.3-70b", [110, 140, 120, 200], [5, 6], [60, 45]),
    paced("llama-3.1-8b", [60, 80, 70], [3], [40]),
]
OF_THE_GPU = [
    paced("qwen-coder", [70, 100, 90, 160], [12, 15], [40, 30, 25]),
    paced("llama-3.3-70b", [200, 260, 220], [18, 22], [40, 30]),
    paced("preview-1", [150, 200], [10], [30]),
    ("preview-long", [{"like": "mock-stream-4000"}]),
]

DOWN = [{"status": 503}]
REFUSED = [{"status": 401}]
LIMITED = [{"status": 429, "headers": {"retry-after": "4"}}]
SLOW = [{"delay_ms": 2500}]
OFTEN_CUT = [
    {"delay_ms": 100, "like": "mock-cut-6"},
    {"delay_ms": 120, "like": "mock-pace-12-30"},
    {"delay_ms": 90, "like": "mock-eof-9"},
    {"delay_ms": 90, "like": "mock-hang-5"},
    {"delay_ms": 110, "like": "mock-pace-15-25"},
    {"delay_ms": 80, "like": "mock-error-8"},
]


def misfortunes(home):
    """What happens and when: pairs of a time and what is done then."""
    first, second = home.replicas
    manners = dict(MANNERS)

    def mend(*models):
        home.tell_mock(*((model, manners[model]) for model in models))

    def lock_ledger(seconds):
        """Another program holds the ledger's file."""
        with contextlib.closing(sqlite3.connect(first.folder / "sluice-data/usage.sqlite", timeout=5)) as file:
            file.isolation_level = None
            file.execute("BEGIN EXCLUSIVE")
            time.sleep(seconds)
            file.execute("ROLLBACK")

    def gpu_back():
        home.gpu_on()
        home.tell_mock(*OF_THE_GPU, mock=home.gpu)

    def reload(*replicas, expect=200):
        for replica in replicas:
            if (status := replica.tell("/-/reload")) != expect:
                raise RuntimeError(f"reload of {replica.name} answered {status}, not {expect}")

    def change(replica, **how):
        replica.write(**how)
        reload(replica)

    def spoil():
        first.write(more="no_such_section: 1\n")
        reload(first, expect=422)

    return [
        # The first provider of gpt-4o goes: circuits open, Azure answers.
        (8, lambda: home.tell_mock(("gpt-4o", DOWN))),
        (13, lambda: mend("gpt-4o")),
        # All of Anthropic: sonnet falls to another model, haiku has nobody.
        (11, lambda: home.tell_mock(("claude-sonnet-4-5", DOWN), ("claude-haiku-4-5", DOWN))),
        (17, lambda: mend("claude-sonnet-4-5", "claude-haiku-4-5")),
        # Groq: keys that rest, then keys that are refused.
        (15, lambda: home.tell_mock(("llama-3.3-70b", LIMITED))),
        (16, lambda: mend("llama-3.3-70b")),
        (20, lambda: home.tell_mock(("llama-3.1-8b", REFUSED))),
        (24, lambda: mend("llama-3.1-8b")),
        # A ledger that somebody else holds.
        (21, lambda: threading.Thread(target=lock_ledger, args=(5,)).start()),
        # Silence.
        (18, lambda: home.tell_mock(("gpt-4o-mini", SLOW))),
        (20, lambda: mend("gpt-4o-mini")),
        # Redis goes and comes back empty.
        (25, home.redis_off),
        (30, home.redis_on),
        # Streams break off.
        (29, lambda: home.tell_mock(("qwen-coder", OFTEN_CUT), ("llama-3.3-70b", OFTEN_CUT), mock=home.gpu)),
        (29, lambda: home.tell_mock(("llama-3.3-70b", OFTEN_CUT))),
        (34, lambda: home.tell_mock(*OF_THE_GPU, mock=home.gpu)),
        (34, lambda: mend("llama-3.3-70b")),
        # A reload that is accepted on one replica before the other, and one that is refused.
        (10, lambda: change(first, memory="448KiB")),
        (14, lambda: change(second, memory="448KiB")),
        (35, spoil),
        (39, lambda: change(first, memory="448KiB")),
        # Everything that is stored goes.
        (36, lambda: first.tell("/-/cache/purge?all=true")),
        # The machine with the graphics card.
        (39, home.gpu_off),
        (43, gpu_back),
    ]


def live_through(home, began):
    """Does what happens at its time, in a thread of its own; returns what joins it and raises what went wrong."""
    wrong = []

    def run():
        try:
            for at, what in sorted(misfortunes(home), key=lambda pair: pair[0]):
                time.sleep(max(0.0, began + at - time.time()))
                what()
        except Exception as error:  # noqa: BLE001 -- told to whoever waits
            wrong.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def ended():
        thread.join(30)
        if wrong:
            raise wrong[0]

    return ended
