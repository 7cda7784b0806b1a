"""Archive peek: counts the photos of an archive by its directory, and reads the first bytes of some.

Only these parts are read, in blocks, from a disk or a server. The cost is bounded. If an archive needs more (a directory of megabytes,
a compressed .tar on a server), only the photos in the part that was read are checked, and the number of photos stays unknown.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Final, TypeVar, cast

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

from reconstruction_operator.transfer import names, unpacker
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.photos import masks

SAMPLES: Final = 8  # maximum number of photos to check
SAMPLE_BYTES: Final = 1 << 16  # read of each photo

MOST_BLOCKS: Final = 128  # 8 MB of an archive that is not on the worker's disk
_BLOCK_BYTES: Final = 1 << 16
_KEPT_BLOCKS: Final = MOST_BLOCKS
_GZIP_BYTES: Final = 1 << 13  # of compressed data in one read
_SECONDS: Final = 5.0  # to list the archive, and the same to check photos
_MOST_AT_ONCE: Final = 8 << 20  # maximum size in bytes of the directory of a .zip, or of an entry's header in a .tar
_REFUSED: Final = "INPUT_REFUSED"

T = TypeVar("T")
ReadAt = Callable[[int, int], bytes | None]
"""Takes an offset and a number of bytes, and returns these bytes; None if parts cannot be read."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The first bytes of a photo."""

    name: str
    index: int  # from 1, in natural order of the photos that were found
    start: bytes
    is_whole: bool  # whether `start` is the whole photo


@dataclass(frozen=True, slots=True)
class Peeked:
    """The result of a peek. `count` is None if counting would cost too much."""

    count: int | None
    ignored: names.Ignored = field(default_factory=names.Ignored)
    samples: tuple[Sample, ...] = ()


def chosen(items: Sequence[T]) -> list[tuple[int, T]]:
    """Return the items to check, spread evenly, with their numbers from 1."""
    step = max(1, -(-len(items) // SAMPLES))
    return [(index + 1, items[index]) for index in range(0, len(items), step)]


def peek(
    size: int, read_at: ReadAt, shown: str, *, max_bytes: int, max_files: int, most_blocks: int | None = MOST_BLOCKS
) -> Peeked:
    """Return what the archive of `size` bytes contains (`shown` in messages). The limits are those of unpacking.

    At most `most_blocks` blocks of 64 KB are read; None: as many as the time allows.

    Raises StorageError (INPUT_REFUSED) as unpacking would, or an error of `read_at`.
    """
    blocks = _Blocks(size, read_at, most_blocks)
    try:
        return _peek(blocks, max_bytes, max_files)
    except _TooMuchError:
        return Peeked(None)
    except unpacker.RefusedError as error:
        raise StorageError(_REFUSED, f"{shown} {error}") from None
    except (*unpacker.DAMAGED, gzip.BadGzipFile) as error:
        raise StorageError(_REFUSED, f"{shown} is damaged: {error or type(error).__name__}") from None


def _peek(blocks: _Blocks, max_bytes: int, max_files: int) -> Peeked:
    photos, others, is_whole = dict[str, None](), list[str](), True
    try:
        for entry in _files(blocks, max_bytes, max_files):
            if names.is_photo(entry.name) and entry.name not in photos:
                photos[entry.name] = None
            else:
                others.append(entry.name)
    except _TooMuchError:
        is_whole = False
    real = sorted((name for name in photos if not masks.is_mask(name)), key=names.natural)
    wanted = {name: index for index, name in chosen(real)}
    samples = []
    with contextlib.suppress(_TooMuchError):  # the samples read so far are enough
        for entry in _files(blocks, max_bytes, max_files):
            if not wanted:
                break
            index = wanted.pop(entry.name, 0)
            if index and (source := entry.open()) is not None:
                with source:
                    start = source.read(SAMPLE_BYTES + 1)
                samples.append(Sample(entry.name, index, start[:SAMPLE_BYTES], is_whole=len(start) <= SAMPLE_BYTES))
    samples.sort(key=lambda one: one.index)
    if is_whole:
        return Peeked(len(real), names.ignored(others), tuple(samples))
    return Peeked(None, samples=tuple(samples))


def _files(blocks: _Blocks, max_bytes: int, max_files: int) -> Iterator[unpacker.Entry]:
    blocks.allow_time()
    file, budget = cast("BinaryIO", blocks), unpacker.Budget(max_bytes, max_files)
    file.seek(0)
    is_packed = file.read(len(unpacker.GZIP_MAGIC)) == unpacker.GZIP_MAGIC
    file.seek(0)
    if is_packed:
        found = unpacker.tar_entries(cast("BinaryIO", _Unpacked(file)), "r:", budget)
    else:
        found = unpacker.entries(file, budget)
    for entry in found:
        budget.count_entry()
        unpacker.check(entry)
        if not entry.is_folder:
            yield entry


class _TooMuchError(Exception):
    """More data would cost too much, or cannot be read."""


class _Unpacked(gzip.GzipFile):
    """A compressed file, decompressed in small pieces: 64 KB may expand to 64 MB."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(fileobj=cast("BinaryIO", _SmallReads(file)), mode="rb")

    def read(self, size: int | None = -1) -> bytes:
        if size is None or not 0 <= size <= _MOST_AT_ONCE:  # tarfile always states a size
            raise _TooMuchError
        return super().read(size)


class _SmallReads:
    """A file for `gzip`, which since Python 3.12 reads 128 KB at once: that may exceed the remaining blocks."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.seekable = file.seek, file.seekable

    def read(self, size: int) -> bytes:
        """Return at most `_GZIP_BYTES`; no bytes at the end."""
        return self._file.read(min(size, _GZIP_BYTES))


class _Blocks(io.RawIOBase):
    """A file that is read in blocks, within limits on time and blocks. The latest blocks are cached."""

    def __init__(self, size: int, read_at: ReadAt, most: int | None) -> None:
        self._size = size
        self._read_at = read_at
        self._left = most
        self._place = 0
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._until = 0.0

    def allow_time(self) -> None:
        """Restart the time limit."""
        self._until = time.monotonic() + _SECONDS

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("an offset before the beginning")
        self._place = base + offset
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        with memoryview(buffer) as view:
            number, offset = divmod(self._place, _BLOCK_BYTES)
            piece = self._block(number)[offset : offset + len(view)] if self._place < self._size else b""
            view[: len(piece)] = piece
        self._place += len(piece)
        return len(piece)

    def read(self, size: int | None = -1, /) -> bytes:  # a raw file may return fewer bytes than archive readers expect
        left = self._size - self._place if size is None or size < 0 else size
        if left > _MOST_AT_ONCE:
            raise _TooMuchError
        pieces = []
        while left > 0:
            piece = super().read(min(left, _BLOCK_BYTES)) or b""
            if not piece:
                break
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)

    def _block(self, number: int) -> bytes:
        if number in self._blocks:
            return self._blocks[number]
        if self._left == 0 or time.monotonic() > self._until:
            raise _TooMuchError
        if self._left is not None:
            self._left -= 1
        start = number * _BLOCK_BYTES
        found = self._read_at(start, min(_BLOCK_BYTES, self._size - start))
        if found is None:
            raise _TooMuchError
        self._blocks[number] = found
        if len(self._blocks) > _KEPT_BLOCKS:
            self._blocks.popitem(last=False)
        return found
