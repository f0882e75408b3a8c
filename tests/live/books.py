"""The reconciliation: what callers saw, what metrics count, what logs and ledgers hold, what upstreams were asked.

All numbers are whole, and compared as such: nothing here is about right.
"""

import collections
import math

from live import house
from live.traffic import LABELS

# Error codes to outcomes, as the README's table of errors means them; written anew, not taken from the code.
CLIENT = {
    "invalid_api_key",
    "invalid_body",
    "invalid_json",
    "model_not_allowed",
    "model_not_found",
    "model-not-found",
    "not_cached",
    "context_length_exceeded",
    "max-tokens-exceeded",
}
# Anthropic's callers get its types instead.
UPSTREAM = {"upstream_error", "bad_upstream_response", "overloaded", "overloaded_error", "api_error"}
FIELDS = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cache_read": "cache_read_tokens",
    "cache_write": "cache_write_tokens",
}


def outcome_of(call):
    """How a call ended, by what its sender saw."""
    if call.left:
        return "cancelled"
    if call.ok:
        return "ok"
    if call.code == "insufficient_quota":
        return "limited"
    if call.code in ("rate_limit_exceeded", "rate_limit_error"):
        # Our own limits name themselves; an upstream's come with the tries that met them.
        return "upstream_error" if call.attempts or "rate-limited upstream" in call.said else "limited"
    if call.code in ("upstream_timeout", "timeout_error"):
        return "timeout"
    if call.code in UPSTREAM:
        return "upstream_error"
    if call.code in CLIENT:
        return "client_error"
    return f"? {call.status} {call.code}"


class Books:
    """Compares, and collects what does not agree."""

    def __init__(self):
        self.wrong, self.told = [], []

    def same(self, what, here, there):
        """Two counts, or two tables of counts without their zeros."""
        if isinstance(here, dict):
            here, there = ({k: v for k, v in table.items() if v} for table in (here, there))
            if here != there:
                differ = {k: (here.get(k, 0), there.get(k, 0)) for k in here.keys() | there.keys()}
                differ = {k: pair for k, pair in sorted(differ.items()) if pair[0] != pair[1]}
                self.wrong.append(f"{what}: {differ}")
                return
            self.told.append(f"{what}: {' '.join(f'{k}={v:g}' for k, v in sorted(here.items()))}")
        elif here != there:
            self.wrong.append(f"{what}: {here} and {there}")
        else:
            self.told.append(f"{what}: {here:g}")


def check(home, prometheus, calls, at):
    """Compares everything at a time when nothing was under way; what is wrong, and what agreed."""
    books = Books()
    lines = {line["request_id"]: line for replica in home.replicas for line in house.request_lines(replica)}
    records = {record["id"]: record for replica in home.replicas for record in house.usage_records(replica)}
    of_the_calls(books, prometheus, calls, lines, records, at)
    of_the_cache(books, prometheus, calls, at)
    of_the_limits(books, prometheus, calls, records, at)
    of_the_upstreams(books, home, prometheus, records, at)
    of_the_money(books, prometheus, records, at)
    of_the_bills(books, prometheus, calls, records, at)
    return books


def of_the_calls(books, prometheus, calls, lines, records, at):
    ids = {call.id for call in calls}
    books.same("calls, and log lines", len(ids), len(ids & lines.keys()))
    books.same("log lines, and calls", len(lines), len(ids & lines.keys()))
    known = {call.id for call in calls if call.code != "invalid_api_key"}
    # GET /v1/models is no request for a model, and leaves no record.
    books.same("accepted calls, and records of the ledger", len(known), len(known & records.keys()))
    books.same("records of the ledger, and accepted calls", len(records), len(known & records.keys()))
    seen = {call.id: outcome_of(call) for call in calls}
    for call in calls:
        line, record = lines.get(call.id, {}), records.get(call.id)
        said = [line.get("outcome")] + ([record["end"]] if record else [])
        if any(word != seen[call.id] for word in said) and len(books.wrong) < 5:
            books.wrong.append(f"{call} ended as {seen[call.id]}; log and ledger say {said}: {line}")
    books.same(
        "requests_total by outcome, as callers saw it",
        collections.Counter(seen.values()),
        prometheus.by("outcome", "sluice_requests_total", at),
    )
    books.same(
        "requests_total by endpoint",
        collections.Counter(LABELS[call.endpoint] for call in calls),
        prometheus.by("endpoint", "sluice_requests_total", at),
    )
    # Who leaves before an answer has seen no status.
    stayed = collections.Counter(str(call.status) for call in calls if not call.left)
    codes = prometheus.by("code", 'sluice_requests_total{outcome!="cancelled"}', at)
    books.same("requests_total by code, of callers who stayed", stayed, codes)
    books.same(
        "requests_total by replica",
        collections.Counter(f"{house.REPLICAS[call.replica]}:4001" for call in calls),
        prometheus.by("instance", "sluice_requests_total", at),
    )
    books.same(
        "key_requests_total by key",
        collections.Counter(call.key for call in calls if call.id in records),
        prometheus.by("key", "sluice_key_requests_total", at),
    )
    refused = collections.Counter(
        {"": "missing", "expired": "expired"}.get(call.key, "unknown") for call in calls if call.status == 401
    )
    refused["model_denied"] = sum(call.code == "model_not_allowed" for call in calls)
    books.same("auth_failures_total by reason", refused, prometheus.by("reason", "sluice_auth_failures_total", at))
    streams = sum(call.stream for call in calls if call.status == 200)
    books.same(
        "request_duration_seconds, of all requests",
        len(calls),
        int(prometheus.number("sum(sluice_request_duration_seconds_count)", at)),
    )
    books.told.append(f"streams begun: {streams}")


def of_the_cache(books, prometheus, calls, at):
    """What the header said. Callers who left before it, and requests that never came so far, are not in it."""
    told = collections.Counter(call.cache for call in calls if call.cache in ("hit", "coalesced"))
    counted = prometheus.by("result", "sluice_cache_requests_total", at)
    books.same(
        "cache_requests_total, hits and coalesced, as answers said",
        told,
        {result: counted.get(result, 0) for result in told},
    )
    for result in ("hit", "miss", "coalesced", "bypass", "error"):
        if not counted.get(result):
            books.wrong.append(f"cache_requests_total has no {result}")
    tiers = prometheus.by("tier", 'sluice_cache_requests_total{result="hit"}', at)
    if {"memory", "redis"} - tiers.keys():
        books.wrong.append(f"hits come only from {sorted(tiers)}")


def of_the_limits(books, prometheus, calls, records, at):
    ours = collections.Counter(
        records[call.id]["key"] for call in calls if call.id in records and limited(records, call)
    )
    counted = prometheus.by("key", "sluice_key_limited_total", at)
    books.same("key_limited_total by key, as the ledger's 429s", ours, counted)
    kinds = prometheus.by("limit", "sluice_key_limited_total", at)
    for limit in ("requests", "tokens", "concurrency", "budget", "upstream"):
        if not kinds.get(limit):
            books.wrong.append(f"nobody was limited by {limit}")
    decisions = prometheus.by("decision", "sluice_limit_decisions_total", at)
    books.same("limit_decisions_total, limited", sum(ours.values()), int(decisions.get("limited", 0)))
    if not decisions.get("queued"):
        books.wrong.append("nobody waited for a limit")


def limited(records, call):
    return records[call.id]["end"] == "limited"


def of_the_upstreams(books, home, prometheus, records, at):
    tries = [attempt for record in records.values() for attempt in record["attempts"]]
    books.same(
        "upstream_attempts_total by outcome, as the ledger has it",
        collections.Counter(attempt["outcome"] for attempt in tries),
        prometheus.by("outcome", "sluice_upstream_attempts_total", at),
    )
    # The machine with the graphics card was switched off and has forgotten what it was asked.
    asked = collections.Counter(home.stats(home.mock)["by_model"])
    ours = prometheus.by("upstream_model", 'sluice_upstream_attempts_total{provider!="gpu"}', at)
    books.same("upstream_attempts_total by model, as the upstream was asked", asked, ours)
    for outcome in ("ok", "rate_limited", "server_error", "timeout", "connect_error", "auth_error", "cancelled"):
        if not any(attempt["outcome"] == outcome for attempt in tries):
            books.wrong.append(f"no try ended as {outcome}")


def of_the_money(books, prometheus, records, at):
    """Tokens and dollars, by provider, model and key: metrics and ledger reckon apart and agree to the nano-dollar."""
    tries = [(record, attempt) for record in records.values() for attempt in record["attempts"]]
    for name, field in FIELDS.items():
        sums = collections.Counter()
        for _, attempt in tries:
            sums[attempt["provider"]] += attempt[field] or 0
        counted = prometheus.by("provider", f'sluice_tokens_total{{type="{name}"}}', at)
        books.same(f"tokens_total, {name} by provider", sums, counted)
        sums = collections.Counter()
        for record in records.values():
            sums[record["key"]] += record[field] or 0
        counted = prometheus.by("key", f'sluice_key_tokens_total{{type="{name}"}}', at)
        books.same(f"key_tokens_total, {name}", sums, counted)
    for family, label, of in (
        ("cost_usd_total", "provider", lambda _, attempt: attempt["provider"]),
        ("key_cost_usd_total", "key", lambda record, _: record["key"]),
        ("key_cost_usd_total", "tenant", lambda record, _: record["tenant"]),
    ):
        sums = collections.Counter()
        for record, attempt in tries:
            sums[of(record, attempt)] += attempt["cost_nano_usd"] or 0
        counted = {name: nano(usd) for name, usd in prometheus.by(label, f"sluice_{family}", at).items()}
        books.same(f"{family} by {label}, in nano-dollars", sums, counted)
    unpriced = sum(bool(attempt["output_tokens"]) and attempt["cost_nano_usd"] is None for _, attempt in tries)
    books.same("price_missing_total", unpriced, int(prometheus.number("sum(sluice_price_missing_total)", at)))
    of_the_budgets(books, prometheus, records, at)


def of_the_bills(books, prometheus, calls, records, at):
    """What answers told their callers they used is what the ledger bills, or what the cache counts as saved."""
    told, billed, saved = collections.Counter(), collections.Counter(), collections.Counter()
    for call in calls:
        if not (call.ok and call.usage and "prompt_tokens" in call.usage):
            continue
        usage = {"input": call.usage["prompt_tokens"], "output": call.usage.get("completion_tokens", 0)}
        if call.cache in ("hit", "coalesced"):
            saved.update(usage)
        elif call.attempts == 1:
            record = records[call.id]
            told.update(usage)
            parts = ("input_tokens", "cache_read_tokens", "cache_write_tokens")
            billed.update(input=sum(record[part] or 0 for part in parts), output=record["output_tokens"] or 0)
    books.same("tokens that answers told, and the ledger's of the same calls", told, billed)
    counted = prometheus.by("type", "sluice_tokens_saved_total", at)
    books.same("tokens_saved_total, as hits and shared answers told", saved, counted)


def of_the_budgets(books, prometheus, records, at):
    """What budgets have been charged is what the ledger has: every replica knows all of it."""
    for scope, period in (("tenant", "month"), ("key", "day")):
        query = f'max by (name) (sluice_budget_spent_usd{{scope="{scope}",period="{period}"}})'
        spent = {row["metric"]["name"]: nano(float(row["value"][1])) for row in prometheus.instant(query, at)}
        sums = collections.Counter()
        for record in records.values():
            if record[scope] in spent:
                sums[record[scope]] += record["cost_nano_usd"] or 0
        books.same(f"budget_spent_usd of each {scope}, in nano-dollars", sums, spent)


def nano(usd):
    """Floats add up to within far less than half a nano-dollar here."""
    whole = round(usd * 1e9)
    return whole if math.isclose(usd * 1e9, whole, rel_tol=0, abs_tol=0.05) else usd * 1e9
