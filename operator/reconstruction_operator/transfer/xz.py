"""Reading .xz within limits: what a header asks for as the decompressor's memory can be 4 GB, and lzma.LZMAFile gives it."""

from __future__ import annotations

import io
import lzma
from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

from reconstruction_operator.transfer.errors import StorageError

_MEMORY_BYTES = 128 << 20  # `xz -9` needs 65 MB
_CHUNK_BYTES = 1 << 16


def opened(file: BinaryIO, shown: str) -> BinaryIO:
    """The content of the streams in `file` (called `shown` in messages), forwards only.

    Reading it raises:
        lzma.LZMAError, EOFError: it is damaged, or cut off.
        StorageError: INPUT_REFUSED: it asks for more memory than it may have.

    """
    return cast("BinaryIO", io.BufferedReader(_Xz(file, shown), _CHUNK_BYTES))


class _Xz(io.RawIOBase):
    def __init__(self, file: BinaryIO, shown: str) -> None:
        self._file = file
        self._shown = shown
        self._decompressor = _decompressor()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        target = memoryview(buffer)
        while not self._decompressor.eof or self._begin_next():
            packed = self._file.read(_CHUNK_BYTES) if self._decompressor.needs_input else b""
            if self._decompressor.needs_input and not packed:
                raise EOFError("it is cut off")
            data = self._decompress(packed, len(target))
            if data:
                target[: len(data)] = data
                return len(data)
        return 0

    def _begin_next(self) -> bool:
        """Whether another stream follows. Between two may be zeros."""
        rest = self._decompressor.unused_data.lstrip(b"\0")
        while not rest and (packed := self._file.read(_CHUNK_BYTES)):
            rest = packed.lstrip(b"\0")
        if not rest:
            return False
        self._decompressor = _decompressor()
        self._file.seek(-len(rest), 1)
        return True

    def _decompress(self, packed: bytes, size: int) -> bytes:
        try:
            return self._decompressor.decompress(packed, size)
        except lzma.LZMAError as error:
            if "emory" not in str(error):  # liblzma's codes are known to Python by their texts alone
                raise
            text = f"archive {self._shown} needs more than {_MEMORY_BYTES >> 20} MB of memory; xz -9 makes one that does not"
            raise StorageError("INPUT_REFUSED", text) from None


def _decompressor() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY_BYTES)
