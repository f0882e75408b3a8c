"""What a profile gains: the plain request and memory at rest once more, of the binary that was built without one."""

import contextlib

from bench import contenders, rows
from bench.load import drive
from bench.streams import at_rest

ROWS = ["unprofiled"]


def measure(session):
    if not session.unprofiled:
        return
    with contextlib.ExitStack() as stack:
        floor = stack.enter_context(contenders.floor(session))
        sluice = stack.enter_context(contenders.sluice(session, binary=session.unprofiled))
        contenders.set_mock(session.mock)
        reports = [drive(session, each, ["--conns", 64]) for _ in range(session.runs) for each in (floor, sluice)]
    rest = [at_rest(session, binary=session.unprofiled)[0] for _ in range(session.runs)]
    figures = [
        rows.cpu_figure("plain request, built without a profile", "request", reports),
        rows.figure("memory at rest, built without a profile", "MiB", {"sluice": rest}),
    ]
    yield rows.row("unprofiled", figures, reports)
