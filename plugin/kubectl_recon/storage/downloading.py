"""Download of a result: the files in its `manifest.json`. Interrupted downloads are resumed; each sha256 is verified."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import unquote, urlsplit

from kubectl_recon.errors import ReconError, UsageError
from kubectl_recon.storage.buckets import Folder, OnBytes, failures, is_address, open_store

if TYPE_CHECKING:
    from kubectl_recon.storage.buckets import Store

_MANIFEST: Final = "manifest.json"
_POINTER: Final = "result.json"
_PART: Final = ".part"
_CHUNK_BYTES: Final = 1 << 20
_RANGE_BYTES: Final = 8 << 20


@dataclass(frozen=True, slots=True)
class ResultFile:
    """A file of a result."""

    name: str  # path below the result's folder
    bytes: int
    sha256: str


class Source(Protocol):
    """Where a result is read from."""

    def read(self, name: str) -> bytes:
        """Return the content of a small file. Raises ReconError."""

    def chunks(self, name: str, begin: int, end: int) -> Iterator[bytes]:
        """Yield the bytes of a file from `begin` to before `end`. Raises ReconError."""


class UnseenError(UsageError):
    """The result is on a volume that is not mounted on this machine."""


def source(uri: str) -> Source:
    """Return the source of the result at an address. Raises UsageError for an address that this machine cannot read."""
    if is_address(uri):
        return _Bucket(Folder.parse(uri))
    parts = urlsplit(uri)
    if parts.scheme == "file":
        folder = Path(unquote(parts.path))
        if folder.is_dir():
            return _Disk(folder)
        raise UnseenError(
            f"the result is on the workers' volume, at {uri}, which is not mounted on this machine. Mount that volume here, "
            "read it in a pod that mounts it, or deliver results of later jobs to object storage: --output s3://BUCKET/FOLDER/."
        )
    raise UsageError(f"{uri}: this command reads results from s3://, gs://, az:// and file://")


def files(place: Source) -> tuple[Source, list[ResultFile]]:
    """Return the files of the result, and their source: a pointer in the folder leads to the current result. Raises ReconError."""
    if isinstance(place, _Bucket) and (pointed := place.pointed()) is not None:
        place = pointed
    try:
        content: dict[str, Any] = json.loads(place.read(_MANIFEST))
        found = [ResultFile(str(one["name"]), int(one["bytes"]), str(one["sha256"])) for one in content["files"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ReconError(f"the result's {_MANIFEST} cannot be read: {error!r}") from error
    for one in found:
        path = PurePosixPath(one.name)
        if path.is_absolute() or ".." in path.parts:
            raise ReconError(f"the result's {_MANIFEST} contains a file outside its folder: {one.name}")
    return place, found


def is_there(target: Path, file: ResultFile) -> bool:
    """Return whether the complete file is already there."""
    return target.is_file() and target.stat().st_size == file.bytes and _digest(target) == file.sha256


def fetch(place: Source, file: ResultFile, target: Path, progress: OnBytes) -> None:
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
                out.write(chunk)
                progress(len(chunk))
    if (found := _digest(part)) != file.sha256:
        part.unlink()
        raise ReconError(
            f"{file.name} was damaged during the transfer (sha256 {found[:12]}…, not {file.sha256[:12]}…): try again"
        )
    part.replace(target)


def _digest(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


class _Disk:
    """A local folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str) -> bytes:
        try:
            return (self._folder / name).read_bytes()
        except OSError as error:
            raise ReconError(f"{self._folder / name} cannot be read: {error.strerror}") from error

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
        import obstore  # noqa: PLC0415  # an optional extra

        with failures(f"{self._folder}{_POINTER}"):
            try:
                content = bytes(obstore.get(self._store, self._folder.path(_POINTER)).bytes())
            except FileNotFoundError:
                return None
        try:
            return _Bucket(self._folder.below(str(json.loads(content)["folder"])))
        except (ValueError, KeyError, TypeError) as error:
            raise ReconError(f"{self._folder}{_POINTER} was not written by a worker: {error!r}") from error

    def read(self, name: str) -> bytes:
        import obstore  # noqa: PLC0415  # as above

        with failures(f"{self._folder}{name}"):
            return bytes(obstore.get(self._store, self._folder.path(name)).bytes())

    def chunks(self, name: str, begin: int, end: int) -> Iterator[bytes]:
        import obstore  # noqa: PLC0415  # as above

        with failures(f"{self._folder}{name}"):
            while begin < end:
                until = min(end, begin + _RANGE_BYTES)
                chunk = bytes(obstore.get_range(self._store, self._folder.path(name), start=begin, end=until))
                if not chunk:
                    return
                begin += len(chunk)
                yield chunk


def free_bytes(folder: Path) -> int:
    """Return the free space where the folder is or will be."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
