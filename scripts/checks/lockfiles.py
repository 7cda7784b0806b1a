"""Lock-file check: pins are exact, with hashes and without addresses; images have a subset of the tested packages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_PIN: Final = re.compile(r"[a-z0-9-]+==\S+( ; [^-]+)?\s+--hash=sha256:\w{64}")
_FORBIDDEN: Final = {  # lock file -> packages that its image must not contain
    "operator.txt": {
        *("pycolmap", "opencv-python-headless", "numpy", "scipy", "trimesh", "embreex", "pillow"),
        *("pip", "setuptools", "wheel"),
    },
    "gallery.txt": {
        *("kopf", "celery", "redis", "pycolmap", "numpy", "pillow-heif", "playwright"),
        *("pip", "setuptools", "wheel"),
    },
    "plugin.txt": {"celery", "kombu", "redis", "kopf", "pycolmap", "numpy", "pillow-heif"},
    "worker-base.txt": {"kopf", "kubernetes", "aiohttp", "pip", "setuptools", "wheel"},
    "worker.txt": {"kopf", "kubernetes", "aiohttp", "pip", "setuptools", "wheel"},
}

_ALONE: Final = ("docs.txt", "uv.txt")  # the environment of `make site`; what installs, locks and uploads


def pins(lock: Path) -> list[str]:
    """Return the logical lines: each has a pin, its marker and its hashes."""
    return [line for line in lock.read_text().replace("\\\n", " ").splitlines() if line.strip()]


def names(lock: Path) -> set[str]:
    """Return the names of the pinned packages."""
    return {line.partition("==")[0] for line in pins(lock)}


def problems(checkout: Path) -> list[str]:
    """Return violations in requirements/."""
    locks = {path.name: path for path in sorted((checkout / "requirements").glob("*.txt"))}
    results = [problem for path in locks.values() for problem in _of_lock(path)]
    tested = {_exact(line) for line in pins(locks["dev.txt"])}
    for name, path in locks.items():
        if name in _ALONE:
            continue
        results += [f"{name}: {pin} is not pinned in dev.txt" for pin in sorted({*map(_exact, pins(path))} - tested)]
        bad = names(path) & _FORBIDDEN.get(name, set())
        results += [f"{name}: this image must not contain {package}" for package in sorted(bad)]
    missing = {*pins(locks["worker-base.txt"])} - {*pins(locks["worker.txt"])}
    results += [f"worker.txt lacks {_exact(line)} of worker-base.txt" for line in sorted(missing)]
    return results


def _exact(line: str) -> str:
    return line.split(" ;", maxsplit=1)[0].split(maxsplit=1)[0]


def _of_lock(lock: Path) -> Iterator[str]:
    for line in pins(lock):
        if not _PIN.match(line):
            yield f"{lock.name}: not an exact pin with hashes: {line[:60]}"
    for line in lock.read_text().splitlines():
        if "://" in line or line.startswith("-"):
            yield f"{lock.name}: an address or an option of pip: {line[:60]}"
