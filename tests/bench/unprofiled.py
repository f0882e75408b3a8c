"""What a profile gains: the plain request once more, of the binary that was built without one."""

import contextlib

from bench import contenders, rows
from bench.load import drive

ROWS = ["unprofiled"]


def measure(session):
    if not session.unprofiled:
        return
    with contextlib.ExitStack() as stack:
        floor = stack.enter_context(contenders.floor(session))
        sluice = stack.enter_context(contenders.sluice(session, binary=session.unprofiled))
        contenders.set_mock(session.mock)
        reports = [drive(session, each, ["--conns", 64]) for _ in range(session.runs) for each in (floor, sluice)]
    figure = rows.cpu_figure("plain request, built without a profile", "request", reports)
    yield rows.row("unprofiled", [figure], reports)
