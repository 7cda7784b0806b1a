"""Base image check: the Dockerfile and the workflows name each image by digest, and one tag has one
digest everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

# `FROM ${BASE_IMAGE}` and `FROM tools` name no registry's image.
_IMAGE: Final = re.compile(r"^(?:ARG \w*IMAGE=|FROM |\s*(?:container|image): )([\w.-]+[/:@][^\s#]+)", re.MULTILINE)
_PINNED: Final = re.compile(r"(?P<tag>[\w./:-]+:[\w.-]+)@(?P<digest>sha256:[0-9a-f]{64})")
_HUB: Final = "docker.io/library/"


def problems(checkout: Path) -> list[str]:
    """Return violations in the Dockerfile and the workflows."""
    paths = [checkout / "Dockerfile", *sorted((checkout / ".github/workflows").glob("*.yml"))]
    return list(unpinned({str(path.relative_to(checkout)): path.read_text() for path in paths}))


def unpinned(texts: Mapping[str, str]) -> Iterator[str]:
    """Yield images without a digest, and tags with two digests."""
    digests: dict[str, str] = {}
    for name, text in texts.items():
        for image in _IMAGE.findall(text):
            pin = _PINNED.fullmatch(image)
            if pin is None:
                yield (
                    f"{name}: {image} can be moved at its registry: write {image}@sha256:…, and run `make base-images`"
                )
            elif digests.setdefault(pin["tag"].removeprefix(_HUB), pin["digest"]) != pin["digest"]:
                yield f"{name}: {pin['tag']} has two digests: run `make base-images`"
