"""Drives one contender once: the load generator's own report, with what the contender used meanwhile."""

import json
import statistics
import subprocess
import time

from bench import processes
from bench.contenders import BIN

# Threads of Sluice for which no request waits: what Linux calls them, what they are in words.
ASIDE = {"sluice-ledger": "the ledger's thread", "sluice-log": "the log's"}


def command(session, contender, load):
    line = [BIN / "load", "--url", contender.url + contender.path, "--model", contender.model]
    for header in contender.headers:
        line += ["--header", header]
    line += [str(word) for word in load]
    return line if session.theirs is None else ["taskset", "-c", str(session.theirs), *line]


def drive(session, contender, load, seconds=None, least_warmup=0.0):
    """One run, with CPU µs per request and per event of a stream. Hits are many, and so are their lines: what was
    logged before is dropped, which would fill the page cache."""
    seconds = seconds or session.seconds
    session.log.truncate(0)
    warmup = max(least_warmup, min(1.0, seconds / 2))
    line = command(session, contender, [*load, "--duration", seconds, "--warmup", warmup])
    aside = processes.thread_nanoseconds(contender.pid, ASIDE)
    before, since = processes.cpu_seconds(contender.pid), time.monotonic()
    report = json.loads(subprocess.run(line, check=True, capture_output=True, text=True).stdout)
    spent = processes.cpu_seconds(contender.pid) - before
    busy = spent / (time.monotonic() - since) * 100
    report |= {"contender": contender.name, "cpu_s": round(spent, 3), "busy_percent": round(busy)}
    report["rss_mib"] = round(processes.rss_mib(contender.pid), 2)
    for unit in ("sent", "events"):
        report[f"cpu_us_per_{unit}"] = round(spent * 1e6 / max(1, report[unit]), 3)
    later = processes.thread_nanoseconds(contender.pid, ASIDE)
    if theirs := {name: later[name] - aside[name] for name in aside if name in later}:
        sent = max(1, report["sent"])
        report["aside_us_per_sent"] = {name: round(used / 1e3 / sent, 3) for name, used in theirs.items()}
    return report


def told_aside(title, reports):
    """A note of how much of a request's CPU those threads had; none where it could not be counted."""
    taken = [report["aside_us_per_sent"] for report in reports if "aside_us_per_sent" in report]
    names = [name for name in ASIDE if taken and all(name in each for each in taken)]
    parts = [f"{statistics.median(each[name] for each in taken):.1f} µs {ASIDE[name]}" for name in names]
    if parts:
        yield f"{title}: of that {', '.join(parts)}"
