"""How the cost grows with what may grow, and whether it is flat or linear as it should be."""

import sys

from bench import crowds, figures, shapes, sweeps

# By name, what takes the figures of one series; each point several times, the points in turn.
SERIES = {**sweeps.SERIES, **crowds.SERIES}


def run(session):
    found, failed = {}, []
    print(f"median of {session.runs} ± half of the spread")
    for name in session.wants(*SERIES):
        found[name] = series = SERIES[name](session)
        for line in shapes.told(series):
            print(line, flush=True)
        if wrong := [report["error_sample"] for report in series["reports"] if report["errors"]]:
            failed.append(name)
            print(f"  errors: {wrong[0]}")
    figures.write("growth", session.head() | {"series": found}, session.keep)
    if failed:
        sys.exit(f"requests failed ({', '.join(failed)}): the figures say nothing")
