"""Upload of photos to a folder in a bucket. Photos that are already there are not sent again."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

import obstore

from kubectl_recon.errors import ReconError, UsageError
from kubectl_recon.storage.buckets import Folder, OnBytes, failures, open_store

if TYPE_CHECKING:
    from reconstruction_operator.transfer.objects.store import Store

_AT_ONCE: Final = 4
_SINGLE_BYTES: Final = 64 << 20  # larger files need several requests; of one request, the ETag is the file's digest
_DIGEST: Final = re.compile(r"[0-9a-f]{32}")
_SHOWN: Final = 3
_LIST_SECONDS: Final = 60.0


def upload(
    folder: Folder, files: Sequence[tuple[Path, str]], progress: OnBytes, *, list_seconds: float = _LIST_SECONDS
) -> int:
    """Upload the files, and return how many were sent. `progress` gets the bytes.

    Raises UsageError if the folder contains other files, which the job would read as photos. Raises ReconError.
    """
    store = open_store(folder)
    with failures(str(folder)):
        names = {name for _, name in files}
        there = asyncio.run(_listed(store, folder, names, list_seconds))
        if strangers := sorted(there.keys() - names):
            raise UsageError(
                f"{folder} contains other files ({', '.join(strangers[:_SHOWN])}), which the job would read as well: "
                "choose another --name or --upload, or empty that folder"
            )
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            sent = list(
                pool.map(lambda file: _send(store, folder.below(file[1]), file[0], there.get(file[1]), progress), files)
            )
    return sum(sent)


async def _listed(store: Store, folder: Folder, names: set[str], seconds: float) -> dict[str, tuple[int, str]]:
    """Return size and ETag of the objects in the folder, by name, up to the first page with others than `names`: it may
    have no end.
    """
    prefix = f"{folder.key}/" if folder.key else ""
    objects: dict[str, tuple[int, str]] = {}
    try:
        async with asyncio.timeout(seconds):
            async for page in obstore.list(store, prefix=prefix or None):
                for entry in page:
                    tag = (entry["e_tag"] or "").strip('"')
                    objects[str(entry["path"]).removeprefix(prefix)] = (entry["size"], tag)
                objects.pop("", None)
                if objects.keys() - names:
                    break
    except TimeoutError:
        raise ReconError(f"{folder} was not listed within {seconds:.0f} s") from None
    return objects


def _send(store: Store, key: str, path: Path, there: tuple[int, str] | None, progress: OnBytes) -> bool:
    """Upload a file, unless it is already there; return whether it was sent.

    `there`: size and ETag of the object with that key.
    """
    size = path.stat().st_size
    if there is not None and _is_same(path, size, *there):
        progress(size)
        return False
    with path.open("rb") as source:
        obstore.put(store, key, source, use_multipart=size > _SINGLE_BYTES)
    progress(size)
    return True


def _is_same(path: Path, size: int, other_size: int, tag: str) -> bool:
    """Return whether the object has the file's size and digest. False if the ETag is not a digest."""
    if size != other_size or not _DIGEST.fullmatch(tag):
        return False
    with path.open("rb") as source:
        return hashlib.file_digest(source, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() == tag
