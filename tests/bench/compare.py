"""The table: all rows, in turn, each contender driven in one run."""

import sys

from bench import cached, figures, latency, limits, parts, plain, start, streams, table, telemetry, unprofiled

# Each measures the rows that it names, those that were asked for, and yields them as they are done.
PARTS = [plain, unprofiled, limits, cached, latency, streams, start, telemetry, parts]
ROWS = [row for part in PARTS for row in part.ROWS]


def run(session):
    table.head(session)
    rows = []
    for part in PARTS:
        if not session.wants(*part.ROWS):
            continue
        for row in part.measure(session):
            rows.append(row)
            table.show(row)
    figures.write("table", session.head() | {"rows": rows}, session.keep)
    print("\n".join(parts.told(rows)))
    if failed := [row for row in rows if row["errors"]]:
        sys.exit(f"requests failed ({', '.join(row['row'] for row in failed)}): the figures say nothing")
