"""Writes the bill of materials of a release: what is in the binary, and nothing else, as CycloneDX 1.6 JSON.

    deploy/sbom.py --target TRIPLE --revision REVISION --binary FILE > sluice.cdx.json

`cargo tree` says which crates are in it: the normal dependencies of the package `sluice` for the target, with the
features that it is built with. Build scripts, procedural macros and tests work for it and are not part of it. Licences
come from the crates' own manifests, hashes from Cargo.lock. Same commit, same binary: same bytes; SOURCE_DATE_EPOCH is
its time.
"""

import argparse
import datetime
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tomllib
import uuid

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.contrib.this.builders import this_component
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

ROOT = pathlib.Path(__file__).resolve().parent.parent
# `3serde v1.0.228 (*)`: depth, name, version; what follows in brackets is a path or a mark.
LINE = re.compile(r"(\d+)(\S+) v(\S+)")


def cargo(*arguments):
    return subprocess.run(["cargo", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def tree(target):
    """The crates in the binary, as (name, version), each with what it depends on; `sluice` comes first."""
    edges = ["--edges", "normal,no-proc-macro"]
    told = cargo("tree", "--locked", "--package", "sluice", "--target", target, *edges, "--prefix", "depth")
    uses, path = {}, []
    for line in told.splitlines():
        depth, name, version = LINE.match(line).groups()
        crate = (name, version)
        del path[int(depth) :]
        uses.setdefault(crate, set())
        if path:
            uses[path[-1]].add(crate)
        path.append(crate)
    return uses


def packages(target):
    """What the manifests say, by (name, version)."""
    told = json.loads(cargo("metadata", "--locked", "--format-version", "1", "--filter-platform", target))
    return {(package["name"], package["version"]): package for package in told["packages"]}


def checksums():
    """SHA-256 of the crates as they were fetched, by (name, version); our own have none."""
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text(encoding="utf-8"))
    return {(package["name"], package["version"]): package.get("checksum") for package in lock["package"]}


def licences(text):
    # Before SPDX expressions a slash meant a choice.
    return [LicenseFactory().make_from_string(text.replace("/", " OR "))] if text else []


def component(package, checksum):
    """A crate as it is told in the bill; our own are not to be had anywhere, and so have no package URL."""
    name, version = package["name"], package["version"]
    link = package.get("repository")
    return Component(
        type=ComponentType.LIBRARY,
        name=name,
        version=version,
        bom_ref=f"{name}@{version}",
        description=" ".join((package["description"] or "").split()) or None,
        licenses=licences(package["license"]),
        purl=PackageURL("cargo", None, name, version) if checksum else None,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=checksum)] if checksum else [],
        external_references=[ExternalReference(type=ExternalReferenceType.VCS, url=XsUri(link))] if link else [],
    )


def sqlite(package):
    """The C library that comes inside of a crate and is compiled in."""
    header = pathlib.Path(package["manifest_path"]).with_name("sqlite3") / "sqlite3.h"
    version = re.search(r'#define SQLITE_VERSION\s+"([\d.]+)"', header.read_text(encoding="utf-8"))[1]
    return Component(
        type=ComponentType.LIBRARY,
        name="sqlite",
        version=version,
        bom_ref=f"sqlite@{version}",
        licenses=licences("blessing"),
        purl=PackageURL("generic", None, "sqlite", version),
    )


def bill(target, revision, binary):
    uses, said, sums = tree(target), packages(target), checksums()
    made = {crate: component(said[crate], sums[crate]) for crate in uses}
    root = made[next(iter(uses))]
    root.type, root.purl = ComponentType.APPLICATION, PackageURL("generic", None, root.name, root.version)
    digest = hashlib.sha256(binary.read_bytes()).hexdigest()
    root.hashes.add(HashType(alg=HashAlgorithm.SHA_256, content=digest))
    rustc = subprocess.run(["rustc", "--version"], check=True, capture_output=True, text=True).stdout.strip()
    for name, value in {"target": target, "revision": revision, "rustc": rustc}.items():
        root.properties.add(Property(name=f"sluice:{name}", value=value))
    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"sluice {root.version} {target} {revision} {digest}"))
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH", 0))
    bom.metadata.timestamp = datetime.datetime.fromtimestamp(epoch, datetime.UTC)
    bom.metadata.tools.components.add(this_component())
    bom.metadata.component = root
    for crate, made_of in made.items():
        if made_of is root:
            continue
        (bom if sums[crate] else root).components.add(made_of)
        if crate[0] == "libsqlite3-sys":
            bom.components.add(inner := sqlite(said[crate]))
            bom.register_dependency(made_of, [inner])
    for crate, used in uses.items():
        bom.register_dependency(made[crate], [made[other] for other in sorted(used)])
    return JsonV1Dot6(bom).output_as_string(indent=2)


def main():
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--target", required=True)
    options.add_argument("--revision", required=True)
    options.add_argument("--binary", required=True, type=pathlib.Path)
    chosen = options.parse_args()
    text = bill(chosen.target, chosen.revision, chosen.binary)
    if fault := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        sys.exit(f"sbom.py: the bill is not CycloneDX 1.6: {fault}")
    print(text)


if __name__ == "__main__":
    main()
