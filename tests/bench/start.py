"""How long until the first answer after a start, and how large the binary is."""

import pathlib
import socket
import statistics
import subprocess
import tempfile
import time

import harness

from bench import contenders, processes, rows

ROWS = ["cold", "binary"]
COLD_GOAL_MS, BINARY_GOAL_MIB = 40, 15
STARTS = 5  # of which the median is one figure
BODY = b'{"model": "bench", "messages": [{"role": "user", "content": "hello"}]}'


def measure(session):
    if session.wants("cold"):
        contenders.set_mock(session.mock)
        values, starts = {}, range(2 if session.quick else STARTS)
        names = [name for name in WAYS if name not in session.without]
        for _ in range(session.runs):
            for name in names:
                values.setdefault(name, []).append(statistics.median(cold(session, WAYS[name]) for _ in starts))
        yield rows.row("cold", [rows.figure("start to first answer", "ms", values, rows.at_most(COLD_GOAL_MS))])
    if session.wants("binary"):
        size = harness.SLUICE.stat().st_size / 2**20
        lto = session.machine["lto"]
        notes = [] if lto == "fat" else [NOT_FAT.format(lto and f" (LTO {lto})")]
        shown = rows.figure("size of the binary", "MiB", {"sluice": [size]}, rows.at_most(BINARY_GOAL_MIB))
        yield rows.row("binary", [shown], notes=notes)


NOT_FAT = (
    "the binary was not built here with whole-program optimisation, as `cargo build --release` does{}, which makes it "
    "smaller"
)


def as_floor(session, folder, inspect=True):
    at = f"127.0.0.1:{harness.free_port()}"
    return contenders.floor_command(session, at, inspect), at, ""


def as_bare(session, folder):
    return as_floor(session, folder, inspect=False)


def as_nginx(session, folder):
    at = f"127.0.0.1:{harness.free_port()}"
    return contenders.nginx_command(session, at, folder), at, ""


def as_sluice(session, folder):
    """With the configuration of the plain row, and no ledger from before."""
    members = {"more": contenders.PLAIN, "more_keys": contenders.keys(contenders.KEYS)}
    key, text, at, _ = harness.configured(session.mock, ("bench",), **members)
    config = pathlib.Path(folder, "sluice.yaml")
    config.write_text(text, encoding="utf-8")
    return [harness.SLUICE, "serve", "--config", config], at, f"authorization: Bearer {key}\r\n"


# By name, how to begin anew in a folder of its own: the command, its address, the header that it wants.
WAYS = {"bare": as_bare, "floor": as_floor, "nginx": as_nginx, "sluice": as_sluice}


def cold(session, way):
    """Milliseconds from the call that starts the process to the last byte of the first good answer through it."""
    with tempfile.TemporaryDirectory() as folder:
        command, at, header = way(session, folder)
        host, _, port = at.partition(":")
        request = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: {at}\r\ncontent-type: application/json\r\n{header}"
            f"content-length: {len(BODY)}\r\nconnection: close\r\n\r\n"
        ).encode() + BODY
        options = {"env": harness.clean_env(), "cwd": folder, "stdout": session.log}
        with processes.on_core(session.ours):
            since = time.monotonic()
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
        try:
            with processes.on_core(session.theirs):
                while not answered((host, int(port)), request):
                    if process.poll() is not None or time.monotonic() - since > 20:
                        raise RuntimeError(f"{command[0]} gives no answer")
                return (time.monotonic() - since) * 1000
        finally:
            process.terminate()
            process.wait(10)


def answered(at, request):
    """One try. A refused connection costs some microseconds; half a millisecond is the resolution."""
    try:
        with socket.create_connection(at, timeout=5) as connection:
            connection.sendall(request)
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
            return answer.startswith(b"HTTP/1.1 200 ")
    except OSError:
        time.sleep(0.0005)
        return False
