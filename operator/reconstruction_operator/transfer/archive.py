"""Photos out of .zip and .tar archives (plain, gzip, bzip2, xz) that nobody has to trust.

The content decides what an archive is. What counts is what is read, never what a header says; only photos are written,
under names of our own.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol, cast

from reconstruction_operator.transfer import names, tars, xz
from reconstruction_operator.transfer.budgets import Budget, CountingFile, TickingFile
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits, Tick

_REFUSED = "INPUT_REFUSED"
_CHUNK_BYTES = 1 << 20
_DIRECTORY_ENTRY_BYTES = 1 << 10  # of a .zip: far more than a name needs
_MAX_FOLDERS = 64
_ENCRYPTED = 0x1  # in a .zip entry's flags
# zipfile decompresses the other methods in pieces of any size: 4 kB of bzip2 become gigabytes of memory at once.
_ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ZIP_DIRECTORY_SIZE = 5  # in what zipfile makes of the end record
_ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    gzip.BadGzipFile,
    EOFError,
    NotImplementedError,
    struct.error,
    OverflowError,
    ValueError,  # what the standard library says of numbers and texts that are none
)


@dataclass(frozen=True, slots=True)
class Unpacked:
    """Photos by their names in the archive; the names of other files."""

    photos: dict[str, Path] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    is_folder: bool
    is_regular: bool
    open: Callable[[], _Readable | None]


def unpack(archive: BinaryIO, shown: str, into: Path, limits: Limits, tick: Tick) -> Unpacked:
    """Writes the photos of `archive` (called `shown` in messages) to `into`, each under a number.

    `tick` comes for all that is read, also where nothing comes out: a billion empty pieces, or a file that is no photo.

    Raises:
        StorageError: INPUT_REFUSED: no archive, damaged, encrypted, too large, or with entries that point elsewhere.

    """
    result = Unpacked()

    def alive() -> None:
        tick(0.0, f"{len(result.photos)} photos unpacked")

    budget = Budget(shown, limits, alive)
    try:
        with ExitStack() as stack:
            for entry in _entries(TickingFile(archive, alive), shown, limits, budget, stack):
                budget.count_entry()
                if len(entry.name) > names.MAX_NAME_CHARS:
                    raise StorageError(
                        _REFUSED, f"archive {shown} holds a name of more than {names.MAX_NAME_CHARS} characters"
                    )
                if entry.is_folder:
                    continue
                _check_entry(entry, shown)
                if not names.is_photo(entry.name) or entry.name in result.photos:
                    result.ignored.append(entry.name)
                    continue
                target = into / f"{len(result.photos):06d}.part"
                _write(entry, target)
                result.photos[entry.name] = target
    except _DAMAGED as error:
        raise StorageError(_REFUSED, f"archive {shown} is damaged: {error or type(error).__name__}") from None
    except RuntimeError as error:  # zipfile's word for a password
        raise StorageError(_REFUSED, f"archive {shown} cannot be read: {error}") from None
    except OSError as error:
        if error.errno is not None:  # else it is bz2's word for damage, not the system's for a broken disk
            raise
        raise StorageError(_REFUSED, f"archive {shown} is damaged: {error}") from None
    return result


def _entries(packed: TickingFile, shown: str, limits: Limits, budget: Budget, stack: ExitStack) -> Iterator[_Entry]:
    file = cast("BinaryIO", packed)
    magic = file.read(6)
    file.seek(0)
    if magic.startswith(_ZIP_MAGIC):
        return _zip_entries(file, shown, limits, budget, stack)
    if magic.startswith(b"\x1f\x8b"):
        return _tar_entries(cast("BinaryIO", gzip.GzipFile(fileobj=file)), shown, budget, stack)
    if magic.startswith(b"BZh"):
        return _tar_entries(cast("BinaryIO", bz2.BZ2File(file)), shown, budget, stack)
    if magic.startswith(b"\xfd7zXZ\x00"):
        return _tar_entries(xz.opened(file, shown), shown, budget, stack)
    file.seek(257)
    is_tar = file.read(5) == b"ustar"
    file.seek(0)
    if not is_tar:
        raise StorageError(
            _REFUSED, f"{shown} is neither a folder nor an archive (.zip, .tar, .tar.gz, .tar.bz2, .tar.xz)"
        )
    return _tar_entries(file, shown, budget, stack)


# --- .zip -------------------------------------------------------------------------------------------------------------


def _zip_entries(file: BinaryIO, shown: str, limits: Limits, budget: Budget, stack: ExitStack) -> Iterator[_Entry]:
    size = _directory_bytes(file)
    if size > limits.max_files * _DIRECTORY_ENTRY_BYTES:  # zipfile would read all of it into memory
        raise StorageError(_REFUSED, f"archive {shown} holds more than {limits.max_files} files")
    end = file.seek(0, os.SEEK_END)
    opened = stack.enter_context(zipfile.ZipFile(file))
    for info in opened.infolist():
        if not 0 <= info.header_offset < end:
            raise zipfile.BadZipFile("an entry lies outside of it")
        if info.flag_bits & _ENCRYPTED:
            raise StorageError(_REFUSED, f"archive {shown} is protected by a password")
        if info.compress_type not in _ZIP_METHODS:
            raise StorageError(
                _REFUSED,
                f"archive {shown} is packed by method {info.compress_type}; this worker reads deflate and stored",
            )
        kind = stat.S_IFMT(info.external_attr >> 16)

        def reader(info: zipfile.ZipInfo = info) -> _Readable:
            return CountingFile(cast("BinaryIO", opened.open(info)), budget)

        yield _Entry(info.filename, info.is_dir(), kind in (0, stat.S_IFREG), reader)


def _directory_bytes(file: BinaryIO) -> int:
    """Size of the central directory as zipfile will read it: there can be two end records, and it chooses."""
    try:
        end = zipfile._EndRecData(file)  # type: ignore[attr-defined]  # noqa: SLF001  # another reader could choose otherwise
    except OSError as error:  # zipfile does not tell either whether it was the disk or the archive
        raise zipfile.BadZipFile(f"its end cannot be read: {error}") from None
    if not end:
        raise zipfile.BadZipFile("its end is missing")
    return int(end[_ZIP_DIRECTORY_SIZE])


# --- .tar -------------------------------------------------------------------------------------------------------------


def _tar_entries(plain: BinaryIO, shown: str, budget: Budget, stack: ExitStack) -> Iterator[_Entry]:
    stack.callback(plain.close)
    opened = stack.enter_context(tars.Tar(CountingFile(plain, budget), shown))
    while (member := opened.next()) is not None:

        def reader(member: tarfile.TarInfo = member) -> _Readable | None:
            return opened.extractfile(member)

        yield _Entry(member.name, member.isdir(), member.isreg(), reader)


# --- Both -------------------------------------------------------------------------------------------------------------


def _check_entry(entry: _Entry, shown: str) -> None:
    path = PurePosixPath(entry.name.replace("\\", "/"))
    if len(path.parts) > _MAX_FOLDERS:  # each part is kept until all names are known
        raise StorageError(_REFUSED, f"archive {shown} holds folders in folders, more than {_MAX_FOLDERS} deep")
    if path.is_absolute() or ".." in path.parts or (path.parts and path.parts[0].endswith(":")):
        raise StorageError(_REFUSED, f"archive {shown} holds an entry that points elsewhere: {entry.name!r:.100}")
    if not entry.is_regular:
        raise StorageError(_REFUSED, f"archive {shown} holds a link or a device: {entry.name!r:.100}")


def _write(entry: _Entry, target: Path) -> None:
    source = entry.open()
    if source is None:
        raise tarfile.ReadError(f"{entry.name!r:.100} has no content")
    with target.open("xb") as file:
        while chunk := source.read(_CHUNK_BYTES):
            file.write(chunk)
