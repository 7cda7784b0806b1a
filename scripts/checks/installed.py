"""Environment check: installed packages match the pins, have their dependencies, and may be shipped by their licences.

It works offline, so it queries no database of vulnerabilities.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Final

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.checks import lockfiles

_SHIPPED: Final = ("operator.txt", "worker.txt", "gallery.txt")
# Names of licences that an Apache-2.0 program may ship with.
_ALLOWED: Final = re.compile(
    r"\b(apache|mit|bsd|isc|psf|python software foundation|zlib|hpnd|mit-cmu|mpl|mozilla public|unlicense|cc0|public domain)\b",
    re.IGNORECASE,
)
# Licences that were read by hand, because the metadata does not name them.
_READ_BY_HAND: Final = {"embreex": "BSD-2-Clause"}  # has the text without its name


def pins(lock: Path) -> dict[str, str]:
    """Return name -> version of each pin that applies to this Python."""
    found: dict[str, str] = {}
    for line in lockfiles.pins(lock):
        pin, _, marker = line.partition(" --hash")[0].partition(" ; ")
        if not marker or Marker(marker.strip()).evaluate():
            name, version = pin.strip().split("==")
            found[canonicalize_name(name)] = version
    return found


def problems(checkout: Path) -> list[str]:
    """Return violations in the environment that runs this."""
    installed: dict[str, metadata.Distribution] = {
        canonicalize_name(one.metadata["Name"]): one for one in metadata.distributions()
    }
    pinned = pins(checkout / "requirements" / "dev.txt")
    found = []
    for name, version in pinned.items():
        have = installed[name].version if name in installed else "missing"
        if have != version:
            found.append(f"{name} is {have}, but pinned to {version}: run `make setup`")
    found += [problem for name in pinned if name in installed for problem in _unmet(installed, name)]
    shipped = sorted({name for lock in _SHIPPED for name in pins(checkout / "requirements" / lock)})
    for name in shipped:
        if name not in installed:
            continue  # reported above
        licence = _READ_BY_HAND.get(name) or licence_of(installed[name])
        if not _ALLOWED.search(licence):
            found.append(f"{name} is in an image, but its licence is not in the list of allowed ones: {licence!r}")
    return found


def licence_of(package: metadata.Distribution) -> str:
    """Return all that the package's metadata states about its licence, on one line."""
    fields = {name: package.metadata.get_all(name) or [] for name in ("License-Expression", "License", "Classifier")}
    stated = [*fields["License-Expression"], *(text[:200] for text in fields["License"])]
    stated += [text for text in fields["Classifier"] if text.startswith("License ::")]
    return " | ".join(stated).replace("\n", " ")


def _unmet(installed: Mapping[str, metadata.Distribution], name: str) -> Iterator[str]:
    for text in installed[name].requires or ():
        need = Requirement(text)
        if need.marker is not None and not need.marker.evaluate({"extra": ""}):
            continue
        have = installed.get(canonicalize_name(need.name))
        if have is None or not need.specifier.contains(have.version, prereleases=True):
            yield f"{name} needs {need}; installed is {have.version if have else 'nothing'}"
