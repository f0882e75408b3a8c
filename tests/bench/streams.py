"""Memory at rest, and what an open stream takes of it."""

import contextlib
import json
import statistics
import subprocess
import time
import urllib.request

from bench import contenders, processes, rows
from bench.load import command

ROWS = ["streams"]
OPENING, OPENED_A_SECOND = 1.0, 2_000  # seconds in which streams are opened at least, and how many at most in each
AT_REST_GOAL_MIB, STREAM_GOAL_KIB = 12, 16


def measure(session):
    count, reports, fewest, held_by_kind = (100 if session.quick else 2_000), [], [], []
    for _ in range(session.runs):
        with contextlib.ExitStack() as stack:
            # Fresh ones: what earlier load has left in an allocator would hide what a stream takes.
            running = contenders.proxies(session, stack)
            running.append(stack.enter_context(contenders.sluice(session)))
            gap, seconds = (0.1, 0.3) if session.quick else (0.5, 1.0)
            reports += [hold(session, each, count, gap, seconds) for each in running]
        rest, held = at_rest(session, key_count=0)
        fewest.append(rest)
        held_by_kind.append(held)
    resting = rows.by_contender(reports, lambda report: report["rest_mib"])
    each = rows.by_contender(reports, lambda report: report["stream_kib"])
    figures = [
        rows.figure("memory at rest", "MiB", resting, rows.at_most(AT_REST_GOAL_MIB)),
        rows.figure(
            f"the same with one key instead of {contenders.KEYS}",
            "MiB",
            {"sluice": fewest},
            rows.at_most(AT_REST_GOAL_MIB),
        ),
        rows.figure(f"memory of an open stream, of {count:,}", "KiB", each, rows.at_most(STREAM_GOAL_KIB)),
    ]
    kib = [statistics.median(held[kind] for held in held_by_kind) for kind in processes.HELD]
    binary, libraries, own = (f"{each / 1024:.1f}" for each in kib)
    made_of = f"{binary} MiB pages of the binary's file, {libraries} of the libraries', {own} its own memory"
    yield rows.row("streams", figures, reports, [f"memory at rest with one key: of that {made_of}"])


def at_rest(session, **options):
    """MiB of a fresh Sluice after one answer, and KiB of them by whose they are."""
    with contenders.sluice(session, **options) as sluice:
        contenders.set_mock(session.mock)
        warm(sluice)
        return round(processes.rss_mib(sluice.pid), 2), processes.held_kib(sluice.pid)


def stats(session):
    request = urllib.request.Request(f"http://{session.mock}/__mock/stats")
    return json.load(urllib.request.urlopen(request, timeout=30))


def hold(session, contender, count, gap, seconds):
    """Opens so many streams of one chunk every `gap` seconds, looks at them while all are open, and sees them end."""
    opening = 0.2 if session.quick else max(OPENING, count / OPENED_A_SECOND)
    patience = 4 * opening + gap  # on a busy machine
    # So long that none ends before all were looked at.
    chunks = round((patience + seconds + 0.5) / gap) + 2
    contenders.set_mock(session.mock, chunks=chunks, gap_us=round(gap * 1e6))
    warm(contender)
    rest = processes.rss_mib(contender.pid)
    load = ["--stream", "--conns", count, "--requests", count, "--spread", opening, "--warmup", 0]
    load += ["--duration", patience, "--grace", chunks * gap + 20]
    with subprocess.Popen(command(session, contender, load), stdout=subprocess.PIPE, text=True) as generator:
        deadline = time.monotonic() + patience
        while stats(session)["in_flight"] < count and time.monotonic() < deadline:
            time.sleep(0.05)
        before, earlier = processes.cpu_seconds(contender.pid), stats(session)
        time.sleep(seconds)
        later = stats(session)
        spent, seen = processes.cpu_seconds(contender.pid) - before, later["chunks"] - earlier["chunks"]
        held = processes.rss_mib(contender.pid)
        report = json.loads(generator.stdout.read())
    if (least := min(earlier["in_flight"], later["in_flight"])) < count:
        report["errors"] += 1
        report["error_sample"] = report["error_sample"] or f"only {least} of {count} streams were open"
    return report | {
        "contender": contender.name,
        "streams": count,
        "rest_mib": round(rest, 2),
        "held_mib": round(held, 2),
        "stream_kib": round((held - rest) * 1024 / count, 3),
        "chunks_seen": seen,
        "cpu_us_per_chunk": round(spent * 1e6 / max(1, seen), 3),
    }


def warm(contender):
    """One answer, so that what only the first request makes is there."""
    body = json.dumps({"model": contender.model, "messages": [{"role": "user", "content": "hello"}]}).encode()
    headers = dict(line.split(": ", 1) for line in contender.headers) | {"content-type": "application/json"}
    request = urllib.request.Request(f"{contender.url}/v1/chat/completions", data=body, headers=headers)
    urllib.request.urlopen(request, timeout=10).read()
