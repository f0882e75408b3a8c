"""Our rules on a clock that runs a few hundred times faster, and what has to have fired by it.

The expressions stay as they are but for their windows; what the true windows and `for` mean is promtool's to show.
"""

import re

# Each window as it is written, and as short as a run of a minute wants it.
WINDOWS = {
    "5m": "8s",
    "10m": "10s",
    "15m": "8s",
    "30m": "12s",
    "1h": "20s",
    "2h": "20s",
    "6h": "30s",
    "1d": "45s",
    "3d": "60s",
}

# What the day makes fire. The rest takes a fault of Sluice or of the machine: promtool alone shows those.
FIRED = {
    "SluiceErrorBudgetBurn",
    "SluiceDown",
    "SluiceProviderDown",
    "SluiceProviderErrors",
    "SluiceProviderKeyRefused",
    "SluiceFallbacksExhausted",
    "SluiceStreamStalls",
    "SluiceCacheCollapse",
    "SluiceBudgetNearlySpent",
    "SluiceBudgetForecast",
    "SluicePriceMissing",
    "SluiceLedgerDown",
    "SluiceRedisDown",
    "SluiceLimiterDegraded",
    "SluiceConfigRejected",
    "SluiceConfigDrift",
}

# What must never fire here. Overhead is left out: it is the machine's affair.
NEVER = {"SluiceUsageLost", "SluiceLogsDropped", "SluicePanics"}

# What has to be over when the day has ended quietly; other windows still look back at its faults then.
OVER = {
    "SluiceProviderDown",
    "SluiceProviderKeyRefused",
    "SluiceFallbacksExhausted",
    "SluiceLedgerDown",
    "SluiceRedisDown",
    "SluiceLimiterDegraded",
    "SluiceConfigRejected",
    "SluiceConfigDrift",
}


def in_short(text):
    """The rules with short windows and hardly a `for`."""
    text = re.sub(r"\[6h:5m\]", "[30s:1s]", text)
    text = re.sub(r"\[(\w+)\]", lambda found: f"[{WINDOWS[found[1]]}]", text)
    text = re.sub(r"(?m)^( +)for: .*$", r"\1for: 1s", text)
    # As many requests in a short window as there would have to be in a long one is too much to ask.
    text = text.replace("> 200", "> 50").replace("> 20\n", "> 5\n")
    return re.sub(r"(?m)^( +)interval: .*$", r"\1interval: 1s", text)


def check(prometheus, end, quiet_at):
    """What is wrong with the rules and alerts; `quiet_at` is a time at which all was well again."""
    for group in prometheus.get("/api/v1/rules")["groups"]:
        for rule in group["rules"]:
            if rule["health"] != "ok":
                yield f"rule {rule['name']} is {rule['health']}: {rule.get('lastError')}"
            if rule["type"] == "recording" and not prometheus.instant(rule["name"], quiet_at):
                yield f"rule {rule['name']} records nothing"
    firing = prometheus.instant('count by (alertname) (count_over_time(ALERTS{alertstate="firing"}[1h]))', end)
    fired = {series["metric"]["alertname"] for series in firing}
    yield from (f"{name} has not fired" for name in sorted(FIRED - fired))
    yield from (f"{name} has fired" for name in sorted(NEVER & fired))
    still = {row["metric"]["alertname"] for row in prometheus.instant('ALERTS{alertstate="firing"}', quiet_at)}
    yield from (f"{name} fires still at the end" for name in sorted((OVER | NEVER) & still))
