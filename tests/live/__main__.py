"""The run: see the package's own words."""

import json
import subprocess
import sys
import time

import harness

from live import alerts, books, day, house, panels
from live.traffic import send_all
from live.watcher import Prometheus

SERIES = 15_000  # of one replica, at the most
CALM = 4  # seconds from the last call to the looking, so that the last scrape has everything
DAY = 86_400  # seconds
EVENING = 6  # seconds of the day that pictures leave out: what tells of now should tell of work


def start(home):
    home.tell_mock(*day.MANNERS)
    home.tell_mock(*day.OF_THE_GPU, mock=home.gpu)


def of_the_scrapes(prometheus, home, end):
    """What is wrong with what was scraped; and how many series a replica has."""
    wrong = []
    for replica in home.replicas:
        text = replica.metrics()
        lint = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
        wrong += [f"promtool check metrics: {line}" for line in lint.stdout.splitlines() + lint.stderr.splitlines()]
    rows = prometheus.instant("max by (instance) (scrape_samples_scraped)", end)
    series = {row["metric"]["instance"]: int(row["value"][1]) for row in rows}
    wrong += [f"{name} has {count} series, not under {SERIES}" for name, count in series.items() if count >= SERIES]
    return wrong, series


def until(prometheus, query, seconds):
    """Waits until a query has a result."""
    deadline = time.time() + seconds
    while not prometheus.instant(query, time.time()) and time.time() < deadline:
        time.sleep(0.2)


def wait_for_room_in_the_day():
    """Budgets begin anew at midnight, UTC: what was spent before would be missed after."""
    left = DAY - time.time() % DAY
    if left < day.LENGTH + 30:
        time.sleep(left)


def main():
    wait_for_room_in_the_day()
    wrong, begun = [], time.monotonic()
    with house.house() as home:
        prometheus = Prometheus(home.prometheus)
        start(home)
        calls = day.calls()
        began = time.time() + 2.0  # so that each family has been seen before it counts
        misfortunes_ended = day.live_through(home, began)
        done = send_all(calls, home.replicas, home.keys, began)
        misfortunes_ended()
        time.sleep(CALM)
        end = time.time()
        run = {"start": began, "end": end, "step": panels.STEP, "scrape_interval": panels.SCRAPE, "job": home.job}
        run["busy_until"] = began + day.LENGTH - EVENING
        (house.OUT / "run.json").write_text(json.dumps(run) + "\n", encoding="utf-8")
        if len(done) != len(calls):
            wrong.append(f"{len(calls) - len(done)} calls have not come back")
        found, series = of_the_scrapes(prometheus, home, end)
        wrong += found
        account = books.check(home, prometheus, done, end)
        wrong += account.wrong
        # Last, so that no panel shows it: one replica goes.
        home.stop(home.replicas[1])
        until(prometheus, 'ALERTS{alertname="SluiceDown",alertstate="firing"}', 10)
        wrong += alerts.check(prometheus, time.time(), end)
        found, asked = panels.check(prometheus, began, end)
        wrong += found
        found, in_runbooks = panels.check_runbooks(prometheus, end)
        wrong += found
    print("\n".join(account.told))
    print(f"{len(done)} calls in {end - began:.0f} s; {asked} queries of dashboards, {in_runbooks} of runbooks")
    print("series: " + ", ".join(f"{name} {count}" for name, count in sorted(series.items())))
    print(f"{len(alerts.FIRED)} alerts fired; {time.monotonic() - begun:.0f} s in all")
    if wrong:
        print(f"\n{len(wrong)} faults:", *wrong, sep="\n", file=sys.stderr)
    return bool(wrong)


if __name__ == "__main__":
    if not harness.SLUICE.exists():
        sys.exit(f"{harness.SLUICE} is not built")
    sys.exit(main())
