"""What is installed is what was pinned, whole, and under licences that were looked at. Offline: no database of flaws is asked."""

from __future__ import annotations

import re
from importlib import metadata

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.paths import CHECKOUT

INSTALLED = {canonicalize_name(one.metadata["Name"]): one for one in metadata.distributions()}

# Words of licences that may be shipped with an Apache-2.0 program, in what packages say of themselves.
FREE = re.compile(
    r"\b(apache|mit|bsd|isc|psf|python software foundation|zlib|hpnd|mit-cmu|mpl|mozilla public|unlicense|cc0|public domain)\b",
    re.IGNORECASE,
)
# Those that say it in their files alone, or whose word is another: read by hand.
READ_BY_HAND = {"embreex": "BSD-2-Clause"}  # the text itself, without its name


def pins(lock: str) -> dict[str, str]:
    """Name -> version of each pin that holds for this Python."""
    text = (CHECKOUT / "requirements" / lock).read_text().replace("\\\n", " ")
    found = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        pin, _, marker = line.partition(" --hash")[0].partition(" ; ")
        if not marker or Marker(marker.strip()).evaluate():
            name, version = pin.strip().split("==")
            found[canonicalize_name(name)] = version
    return found


SHIPPED = sorted({name for lock in ("operator.txt", "worker.txt") for name in pins(lock)})


def licence(name: str) -> str:
    """All that the package says of its licence, on one line."""
    about = INSTALLED[canonicalize_name(name)].metadata
    said = [about.get("License-Expression") or "", (about.get("License") or "")[:200]]
    said += [one for one in about.get_all("Classifier") or () if one.startswith("License ::")]
    return " | ".join(filter(None, said)).replace("\n", " ")


def test_what_is_installed_is_what_was_pinned() -> None:
    pinned = pins("dev.txt")
    found = {name: INSTALLED[name].version if name in INSTALLED else "missing" for name in pinned}
    assert found == pinned


def test_no_package_lacks_another_or_has_one_that_does_not_fit() -> None:
    wrong = []
    for name in pins("dev.txt"):
        for text in INSTALLED[name].requires or ():
            need = Requirement(text)
            if need.marker is not None and not need.marker.evaluate({"extra": ""}):
                continue
            have = INSTALLED.get(canonicalize_name(need.name))
            if have is None or not need.specifier.contains(have.version, prereleases=True):
                wrong.append(f"{name} needs {need}; there is {have and have.version}")
    assert wrong == []


@pytest.mark.parametrize("name", SHIPPED)
def test_a_package_in_an_image_has_a_licence_that_was_looked_at(name: str) -> None:
    said = READ_BY_HAND.get(name) or licence(name)
    assert FREE.search(said), f"{name} says {said!r}"


def test_no_image_holds_what_installs_packages() -> None:
    assert {"pip", "setuptools", "wheel"}.isdisjoint(SHIPPED)
