"""Download of a result: its files by `manifest.json`, resumed where they broke off, each checked against its sha256."""

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
    """One file of a result."""

    name: str  # path below the result's folder
    bytes: int
    sha256: str


class Source(Protocol):
    """Where a result lies."""

    def read(self, name: str) -> bytes:
        """A small file as a whole. Raises ReconError."""

    def chunks(self, name: str, begin: int, end: int) -> Iterator[bytes]:
        """The bytes of a file from `begin` to before `end`. Raises ReconError."""


class UnseenError(UsageError):
    """The result lies on a volume that this machine does not see."""


def source(uri: str) -> Source:
    """The source of a result at that address. Raises UsageError for a place that this machine cannot read."""
    if is_address(uri):
        return _Bucket(Folder.parse(uri))
    parts = urlsplit(uri)
    if parts.scheme == "file":
        folder = Path(unquote(parts.path))
        if folder.is_dir():
            return _Disk(folder)
        raise UnseenError(
            f"the result lies on the workers' volume, at {uri}, which this machine does not see. Mount that volume here, "
            "read it in a pod that mounts it, or send results of later jobs to object storage: --output s3://BUCKET/FOLDER/."
        )
    raise UsageError(f"{uri}: this command reads results from s3://, gs://, az:// and file://")


def files(place: Source) -> tuple[Source, list[ResultFile]]:
    """The files of the result, and where they are: a folder with a pointer leads to the one that counts. Raises ReconError."""
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
            raise ReconError(f"the result's {_MANIFEST} names a file outside of its folder: {one.name}")
    return place, found


def is_there(target: Path, file: ResultFile) -> bool:
    """Whether the file was fetched before."""
    return target.is_file() and target.stat().st_size == file.bytes and _digest(target) == file.sha256


def fetch(place: Source, file: ResultFile, target: Path, progress: OnBytes) -> None:
    """Fetch one file to `target`, from where an earlier try broke off. Raises ReconError if its content is not what it was."""
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
            f"{file.name} was damaged on its way (sha256 {found[:12]}…, not {file.sha256[:12]}…): try again"
        )
    part.replace(target)


def _digest(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


class _Disk:
    """A folder that this machine sees."""

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
    """A folder of a bucket."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._store: Store = open_store(folder)

    def pointed(self) -> _Bucket | None:
        """The folder that its pointer names; None if it has no pointer, and is a result's own folder."""
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
    """Free space where the folder is or will be."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
