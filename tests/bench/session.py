"""What all measurements of one command share: how often and how long, the cores, the mock, what may be started."""

import contextlib
import resource
import shutil
import tempfile
import time

import harness

from bench import awake, builds, machine, processes

# Debian keeps it where only root looks.
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


def raise_descriptor_limit():
    """Ten thousand streams are twenty thousand descriptors; what is started inherits it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(hard, 65536), max(hard, 65536)))
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def most_streams():
    """How many streams a gateway can hold here, which needs two descriptors for each."""
    return (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200) // 2


class Session(contextlib.ExitStack):
    """One run of the command."""

    def __init__(self, chosen):
        super().__init__()
        self.quick, self.keep, self.only = chosen.quick, chosen.keep, chosen.only
        usual = 2.0 if chosen.what == "growth" else 4.0
        self.runs, self.seconds = (1, 0.2) if chosen.quick else (chosen.runs, chosen.seconds or usual)
        self.ours, self.theirs = processes.cores()
        self.has_redis = bool(shutil.which("redis-server"))
        absent = [] if NGINX else ["nginx"]
        self.without = {*chosen.without, *absent}
        # Beside one that is built with a profile.
        self.unprofiled = builds.usual_beside(harness.SLUICE) if chosen.profile else None
        self.profiled = bool(chosen.profile)

    def __enter__(self):
        super().__enter__()
        is_awake = self.enter_context(awake.idle_cores())
        built = builds.told(harness.SLUICE)
        self.machine = machine.describe(self.ours, self.theirs, built, NGINX, is_awake)
        self.steal = machine.Steal()
        self.began = time.monotonic()
        # A real file: writing the request lines is part of the price.
        self.log = self.enter_context(tempfile.TemporaryFile())
        self.mock = self.enter_context(harness.mock(cpu=self.theirs))
        return self

    def tell(self):
        """What the figures are of, and what is not measured."""
        print(machine.in_words(self.machine))
        if "nginx" in self.without:
            print("without nginx, which is left out or not installed here")
        if not self.has_redis:
            print("no redis-server here: what needs it is not measured")
        if self.profiled and not self.unprofiled:
            print("no binary here that is built without a profile: none is measured beside the one that is")

    def wants(self, *rows):
        """Those of the rows that were asked for."""
        return [row for row in rows if not self.only or row in self.only]

    def head(self):
        """What stands before the figures."""
        return {
            "machine": self.machine | {"steal_percent": self.steal.percent()},
            "runs": self.runs,
            "seconds": self.seconds,
            "took_minutes": round((time.monotonic() - self.began) / 60, 1),
        }
