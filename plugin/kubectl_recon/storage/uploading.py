"""Upload of photos to a folder in a bucket. Photos that are already there are not sent again."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
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
    folder: Folder,
    files: Sequence[tuple[Path, str]],
    progress: OnBytes,
    *,
    beside: Collection[str] = (),
    list_seconds: float = _LIST_SECONDS,
) -> int:
    """Upload the files, and return how many were sent. `progress` gets the bytes.

    Raises UsageError if the folder contains other files than these and those named in `beside`: the job would read
    them as photos. Raises ReconError.
    """
    store = open_store(folder)
    with failures(str(folder)):
        there = _known(store, folder, {*beside, *(name for _, name in files)}, list_seconds)
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            sent = list(
                pool.map(lambda file: _send(store, folder.below(file[1]), file[0], there.get(file[1]), progress), files)
            )
    return sum(sent)


def copy(source: Folder, target: Folder, added: Mapping[str, Path]) -> frozenset[str]:
    """Copy the objects of a folder to another one of the same bucket, within the storage; return their names.

    Raises UsageError, before it copies, if the folder is empty, has a file of `added` (by name) with other content or
    has all of them, or if the target contains other files. Raises ReconError.
    """
    store = open_store(source)
    with failures(str(source)):
        there = asyncio.run(_listed(store, source, None, _LIST_SECONDS))
        if not there:
            raise UsageError(f"{source} has no files any more")
        equal = {name for name in there.keys() & added.keys() if _is_same(added[name], *there[name])}
        if other := sorted((there.keys() & added.keys()) - equal):
            names = ", ".join(other[:_SHOWN])
            raise UsageError(f"{source} has {names} already, with other content: rename the new files")
        if len(equal) == len(added):
            raise UsageError(f"{source} has all these photos already")
        _known(store, target, {*there, *added}, _LIST_SECONDS)
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            list(pool.map(lambda name: obstore.copy(store, source.below(name), target.below(name)), there))
    return frozenset(there)


def _known(store: Store, folder: Folder, names: set[str], seconds: float) -> dict[str, tuple[int, str]]:
    """Return size and ETag of the objects in the folder, by name. Raises UsageError for others than `names`."""
    there = asyncio.run(_listed(store, folder, names, seconds))
    if strangers := sorted(there.keys() - names):
        raise UsageError(
            f"{folder} contains other files ({', '.join(strangers[:_SHOWN])}), which the job would read as well: "
            "choose another --name or --upload, or empty that folder"
        )
    return there


async def _listed(store: Store, folder: Folder, names: set[str] | None, seconds: float) -> dict[str, tuple[int, str]]:
    """Return size and ETag of the objects in the folder, by name; with `names` up to the first page with others: it
    may have no end.
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
                if names is not None and objects.keys() - names:
                    break
    except TimeoutError:
        raise ReconError(f"{folder} was not listed within {seconds:.0f} s") from None
    return objects


def _send(store: Store, key: str, path: Path, there: tuple[int, str] | None, progress: OnBytes) -> bool:
    """Upload a file, unless it is already there; return whether it was sent.

    `there`: size and ETag of the object with that key.
    """
    size = path.stat().st_size
    if there is not None and _is_same(path, *there):
        progress(size)
        return False
    with path.open("rb") as source:
        obstore.put(store, key, source, use_multipart=size > _SINGLE_BYTES)
    progress(size)
    return True


def _is_same(path: Path, other_size: int, tag: str) -> bool:
    """Return whether the object has the file's size and digest. False if the ETag is not a digest."""
    if path.stat().st_size != other_size or not _DIGEST.fullmatch(tag):
        return False
    with path.open("rb") as source:
        return hashlib.file_digest(source, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() == tag
