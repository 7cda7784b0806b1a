"""Text check: no file names a package registry's host or a path of one machine."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

# Joined, so that this file does not contain the hosts.
REGISTRY_HOSTS: Final = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("files", "pythonhosted", "org"),
        ("proxy", "golang", "org"),
        ("sum", "golang", "org"),
        ("registry", "npmjs", "org"),
        ("deb", "debian", "org"),
        ("archive", "ubuntu", "com"),
    )
)


def tracked_texts(checkout: Path) -> dict[str, str]:
    """Return every text file that git tracks: path in the checkout -> content."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=checkout, capture_output=True, text=True, check=True).stdout
    texts = {}
    for name in filter(None, listed.split("\0")):
        path = checkout / name
        if path.is_file() and b"\0" not in (content := path.read_bytes()):
            texts[name] = content.decode()
    return texts


def problems(checkout: Path) -> list[str]:
    """Return violations in all tracked files."""
    texts = tracked_texts(checkout)
    # The path of a checkout at /src, or of a home at /, would match everywhere.
    here = [f"{path}/" for path in (checkout, Path.home()) if len(path.parts) > 1 and path != Path("/src")]
    return list(forbidden_words(texts, [*REGISTRY_HOSTS, *here]))


def forbidden_words(texts: Mapping[str, str], words: Sequence[str]) -> Iterator[str]:
    """Yield files that name a registry's host, which a mirror may replace, or a path of this machine."""
    for name, text in texts.items():
        for word in words:
            if word in text:
                yield f"{name} names {word}: take it from the tool's own configuration, or derive it"
