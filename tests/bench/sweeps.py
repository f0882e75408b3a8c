"""Growth of what a request consists of, and of what it is looked up among: bodies, streams, keys, models."""

import contextlib

from bench import contenders, shapes
from bench.load import drive


def driven(session, running, behaviour=None):
    """The reports of `running`: at each point who is driven, with what load; the points in turn, again and again."""
    reports = []
    for _ in range(session.runs):
        for x, contender, load, settings in running:
            contenders.set_mock(session.mock, **settings)
            reports.append(drive(session, contender, load) | {"x": x})
    return reports


def cost(unit):
    return lambda report: report[f"cpu_us_per_{unit}"]


def body(session):
    # Larger bodies over fewer connections: what is in flight stays in bounds.
    points = {1_000: 64, 10_000: 32, 100_000: 16, 1_000_000: 4, 4_000_000: 2}
    points = dict(list(points.items())[:3:2]) if session.quick else points
    with pair(session) as both:
        loads = {size: ["--conns", conns, "--body-size", size] for size, conns in points.items()}
        reports = driven(session, [(size, each, load, {}) for size, load in loads.items() for each in both])
    found = shapes.lines(reports, "x", cost("sent"))
    panel = shapes.panel("", "CPU µs/request", shapes.LINEAR, shapes.SLOPE_LIMIT, found)
    return shapes.series("CPU against the size of the prompt", "bytes of the prompt", [panel], reports)


def stream(session):
    points = [10, 100] if session.quick else [10, 100, 1_000, 10_000]
    with pair(session) as both:
        load = ["--stream", "--conns", 8]
        reports = driven(session, [(count, each, load, {"chunks": count}) for count in points for each in both])
    found = shapes.lines(reports, "x", cost("events"))
    panel = shapes.panel("", "CPU µs/chunk", shapes.FLAT, shapes.FLAT_LIMIT, found)
    return shapes.series("CPU of a chunk against the length of its stream", "chunks of a stream", [panel], reports)


@contextlib.contextmanager
def pair(session):
    with contenders.floor(session) as floor, contenders.sluice(session) as sluice:
        yield floor, sluice


def keys(session):
    points = [1, 1_000] if session.quick else [1, 100, 10_000, 100_000]
    reports = lookup(session, {count: {"key_count": count - 1} for count in points})
    memory = shapes.lines([report for report in reports if report["x"]], "x", lambda report: report["rss_mib"])
    panels = [
        looked_up(reports),
        shapes.panel("", "MiB in memory", None, None, memory),
    ]
    return shapes.series("CPU and memory against the number of keys", "keys", panels, reports)


def models(session):
    points = [1, 100] if session.quick else [1, 10, 100, 1_000]
    many = {count: [f"bench-{n}" for n in range(count)] for count in points}
    reports = lookup(session, {count: {"models": names, "model": names[-1]} for count, names in many.items()})
    return shapes.series("CPU against the number of models", "models", [looked_up(reports)], reports)


def lookup(session, points):
    """Plain requests to gateways that have so much to look through, and to the floor, which has nothing: at 0."""
    with contextlib.ExitStack() as stack:
        load = ["--conns", 64]
        running = [(0, stack.enter_context(contenders.floor(session)), load, {})]
        for count, members in points.items():
            running.append((count, stack.enter_context(contenders.sluice(session, **members)), load, {}))
        return driven(session, running)


def looked_up(reports):
    found = shapes.lines(reports, "x", cost("sent"))
    return shapes.panel("", "CPU µs/request", shapes.FLAT, shapes.FLAT_LIMIT, found)


SERIES = {"body": body, "stream": stream, "keys": keys, "models": models}
