"""Counting what comes out of an archive: what is read decides, never what a header says."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from typing import BinaryIO

from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits

_REFUSED = "INPUT_REFUSED"
_CHUNK_BYTES = 1 << 20
_LARGEST_READ_BYTES = 1 << 22  # tarfile reads extended headers in one piece, of any size that they say


class Budget:
    """What may still be read of the archive that is called `shown` in messages. Whatever is counted calls `tick`."""

    def __init__(self, shown: str, limits: Limits, tick: Callable[[], None]) -> None:
        self._shown, self._limits, self._tick = shown, limits, tick
        self._entries = self._bytes = 0

    def count_entry(self) -> None:
        """One entry more; raises StorageError (INPUT_REFUSED) if it is one too many."""
        self._tick()
        self._entries += 1
        if self._entries > self._limits.max_files:
            raise StorageError(_REFUSED, f"archive {self._shown} holds more than {self._limits.max_files} files")

    def count_bytes(self, count: int) -> None:
        """So many bytes more; raises StorageError (INPUT_REFUSED) if they are too many."""
        self._tick()
        self._bytes += count
        if self._bytes > self._limits.max_bytes:
            allowed = self._limits.max_bytes / 1024**2
            raise StorageError(_REFUSED, f"archive {self._shown} unpacks to more than {allowed:.0f} MB")


class TickingFile:
    """The packed file, which calls `tick` for each read: a decompressor can read gigabytes that nothing comes out of."""

    def __init__(self, packed: BinaryIO, tick: Callable[[], None]) -> None:
        self._packed, self._tick = packed, tick

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes."""
        self._tick()
        return self._packed.read(size)

    def tell(self) -> int:
        """The position."""
        return self._packed.tell()

    def seek(self, position: int, whence: int = os.SEEK_SET, /) -> int:
        """To a position; returns it."""
        return self._packed.seek(position, whence)

    def seekable(self) -> bool:
        """That it can."""
        return True

    def close(self) -> None:
        """Nothing: whoever opened the file closes it."""


class CountingFile:
    """A file whose every byte counts against the budget, also those that are passed over.

    tarfile goes back by one byte before each header. A decompressor would begin anew for that, so what was read last is
    kept and given again.
    """

    def __init__(self, plain: BinaryIO, budget: Budget) -> None:
        self._plain, self._budget = plain, budget
        self._last = b""  # the newest piece of `plain`
        self._behind = 0  # bytes of it that are still to be given again
        self._end = 0  # position of `plain`

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes."""
        if not 0 <= size <= _LARGEST_READ_BYTES:
            raise tarfile.ReadError("it has a header of more than 4 MB")
        again = self._last[len(self._last) - self._behind :][:size]
        self._behind -= len(again)
        if len(again) == size:
            return again
        data = self._plain.read(size - len(again))
        self._budget.count_bytes(len(data))
        self._end += len(data)
        self._last = data or self._last
        return again + data

    def tell(self) -> int:
        """The position."""
        return self._end - self._behind

    def seek(self, position: int, whence: int = os.SEEK_SET, /) -> int:
        """To a position that is not long passed; returns it."""
        if whence != os.SEEK_SET or position < self._end - len(self._last):
            raise tarfile.ReadError("it cannot be read in one go")
        if position <= self._end:
            self._behind = self._end - position
        else:
            self._behind = 0
            while self._end < position and self.read(min(_CHUNK_BYTES, position - self._end)):
                pass
        return self.tell()

    def close(self) -> None:
        """Close what is below."""
        self._plain.close()
