#!/usr/bin/env python3
"""Photographs the dashboards over the recorded run: all of them, or those that are named.

The run is what the live check left in target/live/: Prometheus' data, and run.json, which says when it was recorded.
Each of dashboards/*.json becomes target/pictures/<name>.png, drawn by Grafana's own panel components in Chromium. A
panel that fails, has a query without data, or is blank, is named, and the command ends with 1.
"""

import argparse
import contextlib
import pathlib
import shutil
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import browser  # noqa: E402
import harness  # noqa: E402
import origin  # noqa: E402
import tools  # noqa: E402

DASHBOARDS = harness.ROOT / "dashboards"
LIVE = harness.ROOT / "target/live"
OUT = tools.OUT


@contextlib.contextmanager
def prometheus(data):
    """Debian's Prometheus on a copy of the run's data, so that the run stays as it was recorded; yields its URL."""
    address = f"127.0.0.1:{harness.free_port()}"
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(data, f"{folder}/data", ignore=shutil.ignore_patterns("lock"))
        pathlib.Path(folder, "none.yml").write_text("scrape_configs: []\n", encoding="utf-8")
        command = ["prometheus", f"--config.file={folder}/none.yml", f"--storage.tsdb.path={folder}/data"]
        command += [f"--web.listen-address={address}", "--storage.tsdb.retention.time=100y"]
        with open(OUT / "prometheus.log", "wb") as log:
            with harness.running(command, lambda: harness.answers(f"http://{address}/-/ready"), stdout=log, stderr=log):
                yield f"http://{address}"


def findings(panels, blank):
    """What is wrong with a picture, by what its page and the photograph say."""
    for panel in panels:
        name = f"{panel['title']} ({panel['type']})"
        if panel.get("failure"):
            yield f"{name}: {panel['failure']}"
        yield from (f"{name}: no data: {query}" for query in panel["empty"])
        if panel["id"] in blank:
            yield f"{name}: nothing is drawn"


def photograph(name, camera, url):
    """Takes one picture and tells of it; returns how much is wrong."""
    png, panels, blank = camera.take(f"{url}/?dashboard={name}.json")
    target = OUT / f"{name}.png"
    target.write_bytes(png)
    wrong = list(findings(panels, blank))
    print(f"{target.relative_to(harness.ROOT)}: {len(panels)} panels, {len(wrong)} findings")
    for finding in wrong:
        print(f"  {finding}")
    return len(wrong)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="dashboards by file name; default: all")
    parser.add_argument("--run", type=pathlib.Path, default=LIVE, help="the recorded run (target/live)")
    parser.add_argument("--dashboards", type=pathlib.Path, default=DASHBOARDS)
    parser.add_argument("--overview", action="store_true", help="renew dashboards/overview.png")
    options = parser.parse_args()
    names = options.names or sorted(path.stem for path in options.dashboards.glob("*.json"))
    if not names:
        sys.exit(f"no dashboards in {options.dashboards}")
    run = options.run / "run.json"
    if not run.exists():
        sys.exit(f"no recorded run: {run} is missing (the live check makes it)")
    tools.ready()
    with prometheus(options.run / "prometheus") as upstream, origin.serving(upstream, options.dashboards, run) as url:
        with browser.camera() as camera:
            wrong = sum(photograph(name, camera, url) for name in names)
    if options.overview:
        tools.shrink(OUT / "overview.png", DASHBOARDS / "overview.png")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
