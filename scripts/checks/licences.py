"""Licence check: an Apache-2.0 program may ship each package of an image, or of the plugin's archive.

It reads the metadata of the installed packages.
"""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path
from typing import Final

from packaging.utils import canonicalize_name

from scripts.checks import lockfiles

_SHIPPED: Final = ("operator.txt", "worker.txt", "gallery.txt", "plugin.txt")
# Names of licences that an Apache-2.0 program may ship with.
_ALLOWED: Final = re.compile(
    r"\b(apache|mit|bsd|isc|psf|python software foundation|zlib|hpnd|mit-cmu|mpl|mozilla "
    r"public|unlicense|cc0|public domain)\b",
    re.IGNORECASE,
)
# Licences that were read by hand, because the metadata does not name them.
_READ_BY_HAND: Final = {"embreex": "BSD-2-Clause"}  # has the text without its name


def problems(checkout: Path) -> list[str]:
    """Return packages of the images whose licence is not allowed. Packages for other Pythons are not installed here."""
    installed = {canonicalize_name(package.metadata["Name"]): package for package in metadata.distributions()}
    locks = [checkout / "requirements" / lock for lock in _SHIPPED]
    shipped = {canonicalize_name(name) for lock in locks for name in lockfiles.names(lock)}
    licences = {name: _READ_BY_HAND.get(name) or licence_of(installed[name]) for name in shipped & installed.keys()}
    return [
        f"{name} is in an image, but its licence is not in the list of allowed ones: {licence!r}"
        for name, licence in sorted(licences.items())
        if not _ALLOWED.search(licence)
    ]


def licence_of(package: metadata.Distribution) -> str:
    """Return all that the package's metadata states about its licence, on one line."""
    fields = {name: package.metadata.get_all(name) or [] for name in ("License-Expression", "License", "Classifier")}
    stated = [*fields["License-Expression"], *(text[:200] for text in fields["License"])]
    stated += [text for text in fields["Classifier"] if text.startswith("License ::")]
    return " | ".join(stated).replace("\n", " ")
