"""Unpacker: extracts the photos of an untrusted archive, in a separate process under resource limits.

`python -m reconstruction_operator.transfer.unpacker REQUEST` reads the archive from stdin. It writes lines of JSON to
stdout: the number of photos so far, for each piece that it reads, and finally the outcome, an object.
`unpack_process.py` starts it.

The standard library limits neither the memory nor the time that a header can cost, so the kernel does. Only photos are
written, under names made here, so that no name in an archive becomes a path (path traversal).
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import resource
import signal
import stat
import struct
import sys
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO, cast

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

from reconstruction_operator.transfer import names
from reconstruction_operator.units import megabytes

HEAD_BYTES = 512  # show the kind of an archive
ARCHIVE_KINDS = ".zip, .tar, .tar.gz"

_READ_BYTES = 1 << 16
_CHUNK_BYTES = 1 << 20
_MAX_NAME_CHARS = 4096  # of a path, as on Linux
_MAX_FOLDERS = 64
_ENCRYPTED = 0x1  # a flag of a .zip entry
# With other methods, zipfile decompresses pieces of any size: 4 kB of bzip2 can become gigabytes in memory.
_ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_GZIP_MAGIC = b"\x1f\x8b"
_TAR_MAGIC, _TAR_MAGIC_AT = b"ustar", 257
_DAMAGED = (  # errors of the standard library for a broken archive
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    EOFError,
    IndexError,
    NotImplementedError,
    OverflowError,
    RecursionError,
    ValueError,
    struct.error,
)
_MEMORY_BYTES = 256 << 20
_ENTRY_BYTES = 1 << 12  # more memory for each entry that the limits allow
_SILENT_CPU_SECONDS = 30  # between two reports


class RefusedError(Exception):
    """The archive is refused. The text continues a sentence about it ("contains a link …")."""


@dataclass(frozen=True, slots=True)
class UnpackRequest:
    """The request to a process that unpacks an archive."""

    into: str  # an empty folder
    max_bytes: int  # of all photos, or of all entries of a .tar
    max_files: int  # entries of any kind

    @property
    def memory_bytes(self) -> int:
        """Address space of the process, in bytes."""
        return _MEMORY_BYTES + _ENTRY_BYTES * self.max_files


@dataclass(frozen=True, slots=True)
class ArchiveEntry:
    """One entry of an archive. `open` returns the content of a regular file."""

    name: str
    is_folder: bool
    is_regular: bool
    open: Callable[[], BinaryIO]


class Budget:
    """Counts entries and bytes against the limits of an archive."""

    def __init__(self, max_bytes: int, max_files: int) -> None:
        self._max_bytes = max_bytes
        self._max_files = max_files
        self._entries = self._bytes = 0

    def count_entry(self) -> None:
        """Count one entry. Raises RefusedError above the limit."""
        self._entries += 1
        if self._entries > self._max_files:
            raise RefusedError(f"contains more than {self._max_files} files")

    def count_bytes(self, count: int) -> None:
        """Count `count` bytes. Raises RefusedError above the limit."""
        if count < 0:
            raise tarfile.ReadError("an entry has a negative size")
        self._bytes += count
        if self._bytes > self._max_bytes:
            raise RefusedError(f"unpacks to more than {megabytes(self._max_bytes)}")


class _Archive(io.FileIO):
    """The archive file, which reports each read: a decompressor can read gigabytes without any output."""

    def __init__(self, descriptor: int, report: Callable[[], None]) -> None:
        super().__init__(descriptor, closefd=False)
        self._report = report

    def readinto(self, buffer: WriteableBuffer, /) -> int | None:
        self._report()
        return super().readinto(buffer)


def unpack(descriptor: int, request: UnpackRequest, report: Callable[[int], None]) -> tuple[list[str], names.Ignored]:
    """Write the photos of the archive into the folder. Return their file names in natural order, and the ignored files.

    `report` is called with the number of photos so far, for each piece that is read or written.

    Raises RefusedError: not an archive, damaged, encrypted, too large, or with an entry that leads out of it; OSError;
    MemoryError.
    """
    into = Path(request.into)
    photos: dict[str, Path] = {}  # by their names in the archive
    ignored: list[str] = []
    budget = Budget(request.max_bytes, request.max_files)

    def tick() -> None:
        report(len(photos))

    with translating_damage(), io.BufferedReader(_Archive(descriptor, tick), _READ_BYTES) as packed:
        for entry in files(cast("BinaryIO", packed), budget):
            tick()
            if not names.is_photo(entry.name) or entry.name in photos:
                ignored.append(entry.name)
                continue
            target = into / f"{len(photos):06d}.part"
            _write(entry, target, tick)
            photos[entry.name] = target
    ordered = sorted(photos, key=names.natural)
    flat = names.flattened(ordered)
    for name, final in zip(ordered, flat, strict=True):
        photos[name].rename(into / final)
    return flat, names.ignored(ignored)


@contextlib.contextmanager
def translating_damage() -> Iterator[None]:
    """Turn the errors of the standard library for a broken archive into RefusedError."""
    try:
        yield
    except _DAMAGED as error:
        raise RefusedError(f"is damaged: {error or type(error).__name__}") from None
    except OSError as error:
        if error.errno is not None:  # of the disk: an error of gzip has no errno
            raise
        raise RefusedError(f"is damaged: {error}") from None


def kind_of(head: bytes) -> str:
    """Return "zip", or the mode in which `tarfile` opens the archive. The content decides, never the name.

    `head` has its first HEAD_BYTES. Raises RefusedError if it is neither.
    """
    if head.startswith(_ZIP_MAGIC):
        return "zip"
    if head[_TAR_MAGIC_AT:].startswith(_TAR_MAGIC):
        return "r:"
    if head.startswith(_GZIP_MAGIC):
        return "r:gz"
    raise RefusedError(f"is neither a folder nor an archive of a kind that this worker reads ({ARCHIVE_KINDS})")


def files(packed: BinaryIO, budget: Budget) -> Iterator[ArchiveEntry]:
    """Yield the files of an archive, with their folders left out.

    Raises RefusedError for an archive that must not be unpacked, or within `translating_damage` an error that it
    translates.
    """
    packed.seek(0)
    kind = kind_of(packed.read(HEAD_BYTES))
    packed.seek(0)
    for entry in _zip_entries(packed, budget) if kind == "zip" else _tar_entries(packed, kind, budget):
        budget.count_entry()
        _check(entry)
        if not entry.is_folder:
            yield entry


def _zip_entries(packed: BinaryIO, budget: Budget) -> Iterator[ArchiveEntry]:
    end = packed.seek(0, io.SEEK_END)
    with zipfile.ZipFile(packed) as opened:
        for info in opened.infolist():
            if not 0 <= info.header_offset < end:
                raise zipfile.BadZipFile("an entry is outside the archive")
            if info.flag_bits & _ENCRYPTED:
                raise RefusedError("is protected by a password")
            if info.compress_type not in _ZIP_METHODS:
                raise RefusedError(f"is packed by method {info.compress_type}; this worker reads deflate and stored")

            def read(info: zipfile.ZipInfo = info) -> BinaryIO:
                budget.count_bytes(info.file_size)  # zipfile returns no more bytes than the header states
                return cast("BinaryIO", opened.open(info))

            kind = stat.S_IFMT(info.external_attr >> 16)
            yield ArchiveEntry(info.filename, info.is_dir(), kind in (0, stat.S_IFREG), read)


def _tar_entries(packed: BinaryIO, mode: str, budget: Budget) -> Iterator[ArchiveEntry]:
    with tarfile.open(fileobj=packed, mode=mode) as opened:  # type: ignore[call-overload]  # one of two literals
        for member in cast("tarfile.TarFile", opened):
            if member.issparse():
                raise RefusedError("contains a sparse file")
            budget.count_bytes(member.size)  # skipped entries are decompressed too
            if len(member.linkname) > _MAX_NAME_CHARS:
                raise _too_long()

            def read(member: tarfile.TarInfo = member) -> BinaryIO:
                return cast("BinaryIO", opened.extractfile(member))  # not None: only regular files are opened

            yield ArchiveEntry(member.name, member.isdir(), member.isreg(), read)


def _check(entry: ArchiveEntry) -> None:
    if len(entry.name) > _MAX_NAME_CHARS:
        raise _too_long()
    path = PurePosixPath(entry.name.replace("\\", "/"))
    if entry.is_folder:
        return
    if len(path.parts) > _MAX_FOLDERS:  # each part of a path stays in memory until all names are known
        raise RefusedError(f"contains folders nested more than {_MAX_FOLDERS} deep")
    if path.is_absolute() or ".." in path.parts or (path.parts and path.parts[0].endswith(":")):
        raise RefusedError(f"contains an entry that leads out of it: {entry.name!r:.100}")
    if not entry.is_regular:
        raise RefusedError(f"contains a link or a device: {entry.name!r:.100}")


def _too_long() -> RefusedError:
    return RefusedError(f"contains a name of more than {_MAX_NAME_CHARS} characters")


def _write(entry: ArchiveEntry, target: Path, tick: Callable[[], None]) -> None:
    with entry.open() as source, target.open("xb") as file:
        while chunk := source.read(_CHUNK_BYTES):
            file.write(chunk)
            tick()


# --- The process ------------------------------------------------------------------------------------------------------


def main() -> None:
    """Unpack stdin as the first argument requests, within limits on memory, file size and CPU time between reports."""
    request = UnpackRequest(**json.loads(sys.argv[1]))
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # the next report after the worker's death ends this process
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_AS, request.memory_bytes)
    limit(resource.RLIMIT_FSIZE, request.max_bytes)
    _send(_outcome(request))


def _outcome(request: UnpackRequest) -> dict[str, Any]:
    try:
        photos, ignored = unpack(sys.stdin.fileno(), request, _report)
    except RefusedError as error:
        return {"refused": str(error)}
    except (MemoryError, SystemError):  # out of memory, the interpreter may raise SystemError
        return {"refused": f"needs more than {request.memory_bytes >> 20} MB of memory to be unpacked"}
    except OSError as error:
        return {"errno": error.errno, "strerror": error.strerror, "filename": str(error.filename or "")}
    return {"photos": photos, "ignored": astuple(ignored)}


def _report(photos: int) -> None:
    limit(resource.RLIMIT_CPU, math.ceil(time.process_time()) + _SILENT_CPU_SECONDS)
    _send(photos)


def limit(what: int, value: int) -> None:
    """Limit a resource (`resource.RLIMIT_…`) of this process, at most to what the system allows it."""
    _, hard = resource.getrlimit(what)
    resource.setrlimit(what, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _send(content: dict[str, Any] | int) -> None:
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
