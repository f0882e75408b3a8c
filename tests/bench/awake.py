"""Keeps idle cores from sleeping while figures are taken.

Who wakes a core pays for its sleep, and on a virtual machine dearly: the wake-up leaves the guest. In a closed loop the
load's core is idle more often the slower a contender is, which would then pay for more wake-ups on top of its own work.
Linux promises a latency to whoever keeps a file open (PM QoS): at 0 µs, idle cores poll. Only its idle loop changes.
"""

import contextlib
import pathlib
import struct

PROMISE = pathlib.Path("/dev/cpu_dma_latency")
# Says `none` where the kernel only halts, which no promise changes.
DRIVER = pathlib.Path("/sys/devices/system/cpu/cpuidle/current_driver")


@contextlib.contextmanager
def idle_cores():
    """Yields whether they are kept awake, which they are until the block ends: usually only root may ask for it."""
    with contextlib.ExitStack() as stack:
        yield asked(stack)


def asked(stack):
    try:
        if DRIVER.read_text(encoding="utf-8").strip() == "none":
            return False
        # Not "wb", which would make a file where there is no device.
        promise = stack.enter_context(PROMISE.open("r+b", buffering=0))
        promise.write(struct.pack("=i", 0))
    except OSError:
        return False
    return True
