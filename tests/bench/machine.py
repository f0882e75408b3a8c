"""What the figures were taken on, and of what."""

import os
import pathlib
import platform
import re
import shutil
import subprocess
import time

import harness

from bench import processes


def said(*command):
    """The first line of what a command says of itself; nothing where it is missing."""
    if not shutil.which(command[0]):
        return ""
    done = subprocess.run(command, capture_output=True, text=True, cwd=harness.ROOT)
    return next(iter((done.stdout + done.stderr).splitlines()), "").strip()


def field(file, name):
    match = re.search(rf"^{name}\s*:\s*(.+)$", pathlib.Path(file).read_text(), re.MULTILINE)
    return match.group(1) if match else ""


def describe(ours, theirs, built, nginx, awake):
    commit = said("git", "rev-parse", "--short=12", "HEAD")
    changed = said("git", "status", "--porcelain", "--untracked-files=no")
    hypervisor = "hypervisor" in field("/proc/cpuinfo", "flags").split()
    return {
        "cpu": field("/proc/cpuinfo", "model name") or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "virtual": hypervisor,
        "memory_gib": round(int(field("/proc/meminfo", "MemTotal").split()[0]) / 2**20, 1),
        "kernel": platform.release(),
        "rustc": re.sub(r" \(.*", "", said("rustc", "--version")),
        "commit": commit + (" and changes" if changed else ""),
        "nginx": said(nginx or "nginx", "-v").rpartition("/")[2],
        "redis": (re.findall(r"v=(\S+)", said("redis-server", "--version")) or [""])[0],
        **built,
        "pinned": [ours, theirs] if ours is not None else None,
        "awake": awake,
        "load_before": round(os.getloadavg()[0], 2),
        "date": time.strftime("%Y-%m-%d"),
    }


class Steal:
    """How much of the cores somebody else had meanwhile."""

    def __init__(self):
        self.before = processes.stolen()

    def percent(self):
        taken, all_of_it = (now - then for now, then in zip(processes.stolen(), self.before, strict=True))
        return round(taken / max(all_of_it, 1e-9) * 100, 1)


# What is not known, as in older figures, is not said.
IDLE = {None: "", True: "; idle cores kept awake (PM QoS)", False: "; idle cores may sleep"}
PROFILED = {None: "", True: "Sluice built with a profile; ", False: "Sluice built without a profile; "}


def in_words(machine):
    """A line or two for the head of a table."""
    kind = "virtual" if machine["virtual"] else "physical"
    where = "no core pinned"
    if machine["pinned"]:
        where = "the measured process alone on core {}, mock upstream and load on core {}".format(*machine["pinned"])
    versions = [f"nginx {machine['nginx']}" if machine["nginx"] else "no nginx"]
    versions += [f"Redis {machine['redis']}" if machine["redis"] else "no Redis"]
    idle, profiled = IDLE[machine.get("awake")], PROFILED[machine.get("profiled")]
    taken = machine.get("steal_percent")
    steal = "" if taken is None else f", {taken} % of the cores' time taken by other machines"
    return (
        f"{machine['cpu']}, {machine['cores']} cores of a {kind} machine, {machine['memory_gib']} GiB, "
        f"Linux {machine['kernel']}; {where}{idle}; {machine['rustc']}, {', '.join(versions)}; {profiled}"
        f"load average {machine['load_before']} before{steal}; commit {machine['commit']}, {machine['date']}"
    )
