"""Peek into an archive: its photos are counted by its directory, and some are looked at by their first bytes.

Only those parts of it are read, a block at a time, wherever it lies. What that costs is bounded; an archive that needs more (a
compressed .tar, a directory of megabytes) is not counted.
"""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Final, TypeVar, cast

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

from reconstruction_operator.transfer import names, unpacker
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.photos import masks

SAMPLES: Final = 8  # photos that are looked at
SAMPLE_BYTES: Final = 1 << 16  # of each

_BLOCK_BYTES: Final = 1 << 16
_MOST_BLOCKS: Final = 128  # 8 MB
_SECONDS: Final = 10.0
_REFUSED: Final = "INPUT_REFUSED"

T = TypeVar("T")
ReadAt = Callable[[int, int], bytes | None]
"""Takes a place and a number of bytes; gives them, or None if no parts can be read."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The first bytes of a photo."""

    name: str
    index: int  # from 1, in natural order
    start: bytes
    is_whole: bool  # it has no more bytes


@dataclass(frozen=True, slots=True)
class Peeked:
    """What could be seen. `count` is None if that costs too much."""

    count: int | None
    ignored: names.Ignored = field(default_factory=names.Ignored)
    samples: tuple[Sample, ...] = ()


def chosen(items: Sequence[T]) -> list[tuple[int, T]]:
    """The items to look at, spread over all, with their numbers from 1."""
    step = max(1, -(-len(items) // SAMPLES))
    return [(index + 1, items[index]) for index in range(0, len(items), step)]


def peek(size: int, read_at: ReadAt, shown: str, *, max_bytes: int, max_files: int) -> Peeked:
    """What the archive of `size` bytes holds; messages call it `shown`. The limits are those of unpacking.

    Raises StorageError (INPUT_REFUSED) as unpacking it would, and what `read_at` raises.
    """
    file = cast("BinaryIO", _Blocks(size, read_at))
    if file.read(2) == unpacker.GZIP_MAGIC:
        return Peeked(None)
    try:
        return _peek(file, max_bytes, max_files)
    except _TooMuchError:
        return Peeked(None)
    except unpacker.RefusedError as error:
        raise StorageError(_REFUSED, f"{shown} {error}") from None
    except unpacker.DAMAGED as error:
        raise StorageError(_REFUSED, f"{shown} is damaged: {error or type(error).__name__}") from None


def _peek(file: BinaryIO, max_bytes: int, max_files: int) -> Peeked:
    photos, others = list[str](), list[str]()
    for entry in _files(file, max_bytes, max_files):
        (photos if names.is_photo(entry.name) and entry.name not in photos else others).append(entry.name)
    photos = [name for name in photos if not masks.is_mask(name)]
    wanted = {name: index for index, name in chosen(sorted(photos, key=names.natural))}
    samples = []
    with contextlib.suppress(_TooMuchError):  # those so far will do
        for entry in _files(file, max_bytes, max_files):
            index = wanted.pop(entry.name, 0)
            if index and (source := entry.open()) is not None:
                with source:
                    start = source.read(SAMPLE_BYTES + 1)
                samples.append(Sample(entry.name, index, start[:SAMPLE_BYTES], is_whole=len(start) <= SAMPLE_BYTES))
    return Peeked(len(photos), names.ignored(others), tuple(sorted(samples, key=lambda one: one.index)))


def _files(file: BinaryIO, max_bytes: int, max_files: int) -> Iterator[unpacker.Entry]:
    budget = unpacker.Budget(max_bytes, max_files)
    for entry in unpacker.entries(file, budget):
        budget.count_entry()
        unpacker.check(entry)
        if not entry.is_folder:
            yield entry


class _TooMuchError(Exception):
    """To look at more would cost too much, or cannot be done."""


class _Blocks(io.RawIOBase):
    """A file that is read block by block, each once, while that takes neither too long nor too many of them."""

    def __init__(self, size: int, read_at: ReadAt) -> None:
        self._size = size
        self._read_at = read_at
        self._place = 0
        self._blocks: dict[int, bytes] = {}
        self._until = time.monotonic() + _SECONDS

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("a place before the beginning")
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

    def read(self, size: int | None = -1, /) -> bytes:  # a raw file may give less; readers of archives expect all
        left = self._size - self._place if size is None or size < 0 else size
        pieces = []
        while left > 0:
            piece = super().read(min(left, _BLOCK_BYTES)) or b""
            if not piece:
                break
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            if len(self._blocks) >= _MOST_BLOCKS or time.monotonic() > self._until:
                raise _TooMuchError
            start = number * _BLOCK_BYTES
            found = self._read_at(start, min(_BLOCK_BYTES, self._size - start))
            if found is None:
                raise _TooMuchError
            self._blocks[number] = found
        return self._blocks[number]
