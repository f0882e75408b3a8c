#!/usr/bin/env python3
"""Measures what a request costs: `python3 tests/bench`; `growth`, `profile`, `charts`, `table`, `check` do the rest.

python3 tests/bench                       the table, each figure three times
python3 tests/bench --only plain,hit      only these rows; --without nginx,bare leaves contenders out
python3 tests/bench growth                what the cost does when bodies, keys, streams … grow
python3 tests/bench profile               makes target/profile/sluice.profdata, a profile of how requests run
python3 tests/bench --profile FILE        measures a Sluice that is built with that profile; so does growth
python3 tests/bench --keep                writes the figures to tests/bench/figures.json, too; so does growth
python3 tests/bench charts                draws tests/bench/charts/ from the kept figures
python3 tests/bench table                 writes the table and the charts' places into the README
python3 tests/bench check                 whether README and charts are what the kept figures give
"""

import argparse
import pathlib
import sys

# `harness` and this package itself lie in the folder above.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import harness  # noqa: E402

from bench import builds, charts, compare, growth, readme, training  # noqa: E402
from bench.session import Session, raise_descriptor_limit  # noqa: E402


def arguments():
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="tests/bench", description=__doc__, formatter_class=shape)
    what = ["compare", "growth", "profile", "charts", "table", "check"]
    parser.add_argument("what", nargs="?", default="compare", choices=what)
    parser.add_argument("--quick", action="store_true", help="a few seconds: does it all still work?")
    parser.add_argument("--runs", type=int, default=3, help="how often each figure is taken")
    parser.add_argument("--seconds", type=float, help="of each run; 4, and 2 for growth")
    parser.add_argument(
        "--only",
        default="",
        metavar="ROW,…",
        help=f"of the table: {', '.join(compare.ROWS)}; of growth: {', '.join(growth.SERIES)}",
    )
    parser.add_argument("--without", default="", metavar="NAME,…", help="contenders to leave out: bare, nginx")
    parser.add_argument("--profile", type=pathlib.Path, metavar="FILE", help="builds Sluice with it, and measures that")
    parser.add_argument("--no-build", action="store_true", help="take the binaries as they are")
    parser.add_argument("--keep", action="store_true", help="write tests/bench/figures.json, too")
    return parser, parser.parse_args()


def build(profile):
    if profile and not profile.is_file():
        sys.exit(f"there is no {profile}; `python3 tests/bench profile` makes one")
    builds.usual()
    if profile:
        builds.with_profile(profile.resolve())


def take_profiled():
    """From here on, the Sluice that is built with a profile stands in the place of the usual one."""
    harness.SLUICE = builds.binary("use")
    for built in (harness.SLUICE, harness.SLUICE.with_name("micro")):
        if not built.exists():
            sys.exit(f"{built} is not built")


def main():
    parser, chosen = arguments()
    for name in ("only", "without"):
        setattr(chosen, name, [word for word in getattr(chosen, name).split(",") if word])
    known = growth.SERIES if chosen.what == "growth" else compare.ROWS
    if unknown := [word for word in chosen.only if word not in known]:
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(known)}")
    if "unprofiled" in chosen.only and not chosen.profile:
        parser.error("unprofiled stands beside what is built with a --profile")
    if chosen.keep and (chosen.only or chosen.without):
        parser.error("what is kept is whole, and of one run")
    match chosen.what:
        case "charts":
            return charts.draw_all()
        case "table":
            return readme.write()
        case "check":
            return readme.check()
        case "profile":
            return training.run(chosen)
    if not chosen.no_build:
        build(chosen.profile)
    if chosen.profile:
        take_profiled()
    raise_descriptor_limit()
    with Session(chosen) as session:
        session.tell()
        return growth.run(session) if chosen.what == "growth" else compare.run(session)


if __name__ == "__main__":
    sys.exit(main())
