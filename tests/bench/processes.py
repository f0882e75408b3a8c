"""What a process and its children use of the machine, and where they may run."""

import contextlib
import os
import pathlib

TICKS = os.sysconf("SC_CLK_TCK")
# Whose memory a process holds.
HELD = BINARY, LIBRARIES, OWN = "binary", "libraries", "own"


def cores():
    """Where to pin: the measured side alone on one core, everything else on another; nowhere on a single core."""
    mine = sorted(os.sched_getaffinity(0))
    return (mine[0], mine[1]) if len(mine) > 1 else (None, None)


@contextlib.contextmanager
def on_core(cpu):
    """What is started meanwhile runs on that core from its first instruction."""
    before = os.sched_getaffinity(0)
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def tree(pid):
    """The process and what it has started: nginx works in a child. None is no process, and uses nothing."""
    if pid is None:
        return []
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(process for child in children for process in tree(int(child)))]


def cpu_seconds(pid):
    return sum(_cpu_seconds(process) for process in tree(pid))


def _cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def thread_nanoseconds(pid, names):
    """CPU so far of those threads of a process, by name; without those that are not there, or where none is counted."""
    spent = {}
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*") if pid else ():
        # A thread may end meanwhile.
        with contextlib.suppress(OSError):
            name = (task / "comm").read_text().strip()
            if name in names:
                spent[name] = spent.get(name, 0) + int((task / "schedstat").read_text().split()[0])
    return spent


def rss_mib(pid):
    return sum(_rss_kib(process) for process in tree(pid)) / 1024


def _rss_kib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


def stolen():
    """Seconds that the cores of this virtual machine were taken away so far, and all seconds of theirs."""
    fields = [int(field) for field in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return fields[7] / TICKS, sum(fields) / TICKS


def held_kib(pid):
    """Memory that a process holds: pages of its binary's file, of the libraries' files, and its own."""
    binary = os.readlink(f"/proc/{pid}/exe")
    held, path = dict.fromkeys(HELD, 0), ""
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        first, *rest = line.split(maxsplit=5)
        if not first.endswith(":"):
            # A mapping's own line: addresses, rights, offset, device, inode, path.
            path = rest[4] if len(rest) > 4 else ""
            continue
        kind = OWN if not path.startswith("/") else BINARY if path == binary else LIBRARIES
        if first == "Rss:":
            held[kind] += int(rest[0])
        elif first == "Anonymous:" and kind != OWN:
            # It has written to these pages of a file: they are its own now.
            held[kind] -= int(rest[0])
            held[OWN] += int(rest[0])
    return held
