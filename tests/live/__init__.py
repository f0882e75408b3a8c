"""A minute of traffic and faults in front of a real Prometheus, and what has to be true of it afterwards.

`PYTHONPATH=tests python -m live`, with packages of tests/requirements.txt. Two replicas share a Redis; mocks are the
upstreams; Prometheus loads our rules on a copy with short times. Then every panel of every dashboard has data, alerts
have fired, and what metrics count is what clients saw and what the ledger holds.

`house` is what runs, `traffic` the callers, `day` what happens to them, `panels`, `alerts` and `books` look at it.
Leaves target/live: Prometheus' data and run.json, for tests/pictures.
"""
