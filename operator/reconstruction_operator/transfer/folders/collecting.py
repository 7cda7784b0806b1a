"""Result collection: copies a delivered result for a job that reuses it. A tenant may write to the source folder at any time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Final

from reconstruction_operator import disk
from reconstruction_operator.contract.manifest import Manifest
from reconstruction_operator.transfer.folders import targets
from reconstruction_operator.transfer.folders.directories import Directory

_CHUNK_BYTES: Final = 1 << 20


def collect(uri: str, manifest: Manifest, into: Path, check: Callable[[], None], *, namespace: str = "") -> None:
    """Copy the files of the delivered result into the empty folder `into`; `check` is called often and may raise.

    Links are not followed, and no more is read than the manifest states. Raises StorageError, or OSError if a file cannot be read.
    """
    with Directory.open(targets.find(uri, namespace), create=False) as folder:
        for sealed in manifest.files:
            path = into / sealed.name
            path.parent.mkdir(parents=True, exist_ok=True)
            left = sealed.bytes
            with folder.open_file(PurePosixPath(sealed.name)) as reader, path.open("xb") as writer:
                while left > 0 and (chunk := reader.read(min(left, _CHUNK_BYTES))):
                    check()
                    writer.write(chunk)
                    left -= len(chunk)
            disk.sync(path)
