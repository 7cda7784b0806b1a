"""SBOM: a CycloneDX document for each file of a release that contains or needs other packages.

The packages of an image are read from its unpacked root: Python's from their metadata, Debian's from dpkg's database.
Those of a wheel are the pins of the lock files, with their hashes. A document is reproducible: its number and date
depend on the release.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from packaging.markers import Marker
from packaging.utils import canonicalize_name

from scripts.checks import lockfiles
from scripts.checks.licences import licence_of

_PROJECT: Final = "reconstruction-operator"
_PIN: Final = re.compile(
    r"(?P<name>[a-z0-9-]+)==(?P<version>\S+)(?: ; (?P<marker>.*?))?(?P<hashes>(?:\s+--hash=sha256:\w{64})+)\s*"
)


@dataclass(frozen=True, order=True)
class Package:
    """One package in a document."""

    purl: str  # package URL: kind, name, version and qualifiers
    name: str
    version: str
    licence: str = ""
    is_expression: bool = False  # the licence is an SPDX expression
    sha256: tuple[str, ...] = ()  # digests of its published files


def document(name: str, version: str, kind: str, packages: Iterable[Package], epoch: int) -> str:
    """Return the CycloneDX document of a file; `kind` is its CycloneDX type, such as container."""
    parts = sorted(packages)
    subject = {"type": kind, "bom-ref": f"{name}@{version}", "name": name, "version": version}
    content: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(epoch, UTC).isoformat(),
            "authors": [{"name": "the Reconstruction operator authors"}],
            "component": subject | {"licenses": [{"license": {"id": "Apache-2.0"}}]},
        },
        "components": [_component(part) for part in parts],
        "dependencies": [{"ref": subject["bom-ref"], "dependsOn": sorted({part.purl for part in parts})}],
    }
    # A UUID of the content, so that the same release has the same number.
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(content, sort_keys=True))
    return json.dumps({"serialNumber": f"urn:uuid:{serial}", **content}, indent=2) + "\n"


def _component(part: Package) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": part.purl,
        "name": part.name,
        "version": part.version,
        "purl": part.purl,
    }
    if part.licence:
        name = {"expression": part.licence} if part.is_expression else {"license": {"name": part.licence}}
        component["licenses"] = [name]
    if part.sha256:
        # A component's hashes are of one file, but a pin has one file for each platform.
        component["externalReferences"] = [
            {"type": "distribution", "url": part.purl, "hashes": [{"alg": "SHA-256", "content": digest}]}
            for digest in part.sha256
        ]
    return component


def locked(lock: Path, environment: dict[str, str]) -> Iterator[Package]:
    """Yield the packages of a lock file whose markers match the environment."""
    for pin in filter(None, map(_PIN.fullmatch, lockfiles.pins(lock))):
        if not pin["marker"] or Marker(pin["marker"]).evaluate(environment):
            hashes = tuple(re.findall(r"sha256:(\w{64})", pin["hashes"]))
            yield Package(_pypi(pin["name"], pin["version"]), pin["name"], pin["version"], sha256=hashes)


def installed(root: Path, architecture: str) -> Iterator[Package]:
    """Yield the packages in an image's root, without this project's."""
    folders = [str(folder) for folder in (root / "venv/lib").glob("python3*/site-packages")]
    for distribution in metadata.distributions(path=folders):
        name = canonicalize_name(distribution.metadata["Name"])
        if name != _PROJECT:
            expression = "".join(distribution.metadata.get_all("License-Expression") or ())
            purl = _pypi(name, distribution.version)
            yield Package(
                purl, name, distribution.version, expression or licence_of(distribution), is_expression=bool(expression)
            )
    suite = re.search(r'^VERSION_ID="?([\w.]+)', (root / "etc/os-release").read_text(), re.MULTILINE)
    for stanza in (root / "var/lib/dpkg/status").read_text().split("\n\n"):
        field = dict(re.findall(r"^(Package|Version|Architecture|Status): (.+)$", stanza, re.MULTILINE))
        if field.get("Status", "").endswith(" installed"):
            distro = f"&distro=debian-{suite[1]}" if suite else ""
            version = field["Version"].replace("+", "%2B").replace(":", "%3A")
            arch = architecture if field["Architecture"] != "all" else "all"
            purl = f"pkg:deb/debian/{field['Package'].replace('+', '%2B')}@{version}?arch={arch}{distro}"
            yield Package(purl, field["Package"], field["Version"])


def _pypi(name: str, version: str) -> str:
    return f"pkg:pypi/{name}@{version.replace('+', '%2B')}"
