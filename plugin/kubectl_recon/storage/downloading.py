"""Download of a result: the files in its `manifest.json`.

Interrupted downloads are resumed; each sha256 is verified.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import unquote, urlsplit

from reconstruction_operator import disk
from reconstruction_operator.contract.manifest import MANIFEST, MAX_MANIFEST_BYTES, Manifest, SealedFile
from reconstruction_operator.transfer.objects.address import is_object
from reconstruction_operator.transfer.objects.layout import MAX_POINTER_BYTES, POINTER, Pointer, is_folder_of

from kubectl_recon.errors import ReconError, UsageError
from kubectl_recon.storage.buckets import Folder, OnBytes, failures, open_store

if TYPE_CHECKING:
    from obstore import GetOptions
    from reconstruction_operator.transfer.objects.store import Store

_PART: Final = ".part"
_CHUNK_BYTES: Final = 1 << 20
_RANGE_BYTES: Final = 8 << 20


class Source(Protocol):
    """Where a result is read from. It is not trusted."""

    def manifest(self) -> bytes:
        """Return the content of the manifest; not all of one that is too large. Raises ReconError."""

    def chunks(self, name: str, begin: int, end: int) -> Iterator[bytes]:
        """Yield the bytes of a file from `begin` to before `end`; a server may send more. Raises ReconError."""


class UnseenError(UsageError):
    """The result is on a volume that is not mounted on this machine."""


def source(uri: str) -> Source:
    """Return the source of the result at an address. Raises UsageError for an address that this machine cannot read."""
    if is_object(uri):
        return _Bucket(Folder.of(uri))
    parts = urlsplit(uri)
    if parts.scheme == "file":
        folder = Path(unquote(parts.path))
        if folder.is_dir():
            return _Disk(folder)
        raise UnseenError(
            f"the result is on the workers' volume, at {uri}, which is not mounted on this machine. "
            "Mount that volume here, "
            "read it in a pod that mounts it, or deliver results of later jobs to object storage: --output "
            "s3://BUCKET/FOLDER/."
        )
    raise UsageError(f"{uri}: this command reads results from s3://, gs://, az:// and file://")


def files(place: Source) -> tuple[Source, tuple[SealedFile, ...]]:
    """Return the files of the result, and their source: a pointer in the folder leads to the current result.

    Raises ReconError.
    """
    if isinstance(place, _Bucket) and (pointed := place.pointed()) is not None:
        place = pointed
    manifest = Manifest.parse(place.manifest())
    if manifest is None:
        raise ReconError(f"the result's {MANIFEST} was not written by a worker")
    for file in manifest.files:
        path = PurePosixPath(file.name)
        if path.is_absolute() or ".." in path.parts or not file.name.isprintable() or file.bytes < 0:
            raise ReconError(f"the result's {MANIFEST} contains a file outside its folder, or none: {file.name!a}")
    return place, manifest.files


def is_there(target: Path, file: SealedFile) -> bool:
    """Return whether the complete file is already there."""
    return target.is_file() and target.stat().st_size == file.bytes and _digest(target) == file.sha256


def fetch(place: Source, file: SealedFile, target: Path, progress: OnBytes) -> None:
    """Download a file to `target`, and resume an interrupted download. Raises ReconError if the digest is wrong."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + _PART)
    have = part.stat().st_size if part.is_file() else 0
    if have > file.bytes:
        part.unlink()
        have = 0
    progress(have)
    with part.open("ab") as out:
        if have < file.bytes:
            for chunk in place.chunks(file.name, have, file.bytes):
                have += len(chunk)
                if have > file.bytes:
                    raise ReconError(f"{file.name} is longer than the {file.bytes} bytes of the {MANIFEST}: try again")
                out.write(chunk)
                progress(len(chunk))
    if (digest := _digest(part)) != file.sha256:
        part.unlink()
        raise ReconError(
            f"{file.name} was damaged during the transfer (sha256 {digest[:12]}…, not {file.sha256[:12]}…): try again"
        )
    part.replace(target)


def _digest(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


class _Disk:
    """A local folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def manifest(self) -> bytes:
        try:
            return disk.read_regular(self._folder / MANIFEST, MAX_MANIFEST_BYTES)
        except OSError as error:
            raise ReconError(f"{self._folder / MANIFEST} cannot be read: {error.strerror}") from error

    def chunks(self, name: str, begin: int, end: int) -> Iterator[bytes]:
        try:
            with (self._folder / name).open("rb") as content:
                content.seek(begin)
                while begin < end and (chunk := content.read(min(_CHUNK_BYTES, end - begin))):
                    begin += len(chunk)
                    yield chunk
        except OSError as error:
            raise ReconError(f"{self._folder / name} cannot be read: {error.strerror}") from error


class _Bucket:
    """A folder in a bucket."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._store: Store = open_store(folder)

    def pointed(self) -> _Bucket | None:
        """Return the folder that the pointer leads to; None without a pointer, as in a result's own folder."""
        if (content := self._small(POINTER, MAX_POINTER_BYTES)) is None:
            return None
        pointer = Pointer.parse(content)
        if pointer is None or not is_folder_of(pointer.folder, pointer.job_id):
            raise ReconError(f"{self._folder}{POINTER} was not written by a worker")
        return _Bucket(self._folder.folder(pointer.folder))

    def manifest(self) -> bytes:
        if (content := self._small(MANIFEST, MAX_MANIFEST_BYTES)) is None:
            raise ReconError(f"{self._folder}{MANIFEST}: nothing was found at that address")
        return content

    def chunks(self, name: str, begin: int, end: int) -> Iterator[bytes]:
        with failures(f"{self._folder}{name}"):
            while (start := begin) < end:
                part: GetOptions = {"range": (start, min(end, start + _RANGE_BYTES))}
                for chunk in self._store.get(self._folder.below(name), options=part).stream():
                    begin += len(chunk)
                    yield bytes(chunk)
                if begin == start:
                    return

    def _small(self, name: str, max_bytes: int) -> bytes | None:
        """Return the content of an object; None if it is missing, nothing of one that is too large."""
        with failures(f"{self._folder}{name}"):
            try:
                stored = self._store.get(self._folder.below(name))
            except FileNotFoundError:
                return None
            return b"" if stored.meta["size"] > max_bytes else bytes(stored.bytes())
