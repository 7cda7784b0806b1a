"""Entries of a .tar that nobody has to trust: tarfile would keep whatever extended headers and maps of holes say."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import IO, cast

from reconstruction_operator.transfer.budgets import CountingFile
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.names import MAX_NAME_CHARS

_REFUSED = "INPUT_REFUSED"
_BLOCK_BYTES = 512
# Extended headers of one entry: tarfile goes one level deeper for each, and keeps the text of all of them meanwhile.
_MAX_HEADERS = 8
_MAX_HEADER_BYTES = 1 << 18
_MAX_LENGTH_DIGITS = 19
_LONG_TYPES = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
_PAX_TYPES = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
_KEPT_KEYS = (b"path", b"linkpath", b"size")  # of pax; nobody asks for the rest


class Tar(tarfile.TarFile):
    """The entries of the archive `file`, called `shown` in messages; those that are passed are forgotten.

    Raises:
        StorageError: INPUT_REFUSED: names or headers that are too large, or holes.

    """

    def __init__(self, file: CountingFile, shown: str) -> None:
        self._shown = shown
        self._headers = self._header_bytes = 0
        super().__init__(fileobj=cast("IO[bytes]", file), mode="r", tarinfo=_Member)

    def next(self) -> tarfile.TarInfo | None:
        """The next entry; None: it was the last."""
        self._headers = self._header_bytes = 0
        member = super().next()
        self.members.clear()  # type: ignore[attr-defined]  # it would keep them all
        return member

    def count_header(self, size: int) -> None:
        """One extended header more of the entry that is read."""
        if size < 0:
            raise tarfile.ReadError("it has a header of less than nothing")
        self._headers += 1
        self._header_bytes += size
        if self._headers > _MAX_HEADERS or self._header_bytes > _MAX_HEADER_BYTES:
            raise self.refused(
                f"an entry with headers of more than {_MAX_HEADER_BYTES >> 10} kB or {_MAX_HEADERS} pieces"
            )

    def check_name(self, size: int) -> None:
        """Refuse a name of so many bytes if it is too long."""
        if size > MAX_NAME_CHARS:
            raise self.refused(f"a name of more than {MAX_NAME_CHARS} characters")

    def refused(self, what: str) -> StorageError:
        """What it is refused with for holding that."""
        return StorageError(_REFUSED, f"archive {self._shown} holds {what}")


class _Member(tarfile.TarInfo):
    """What tarfile calls for each header. `_proc_member` is its place for own ways to read one."""

    def _proc_member(self, tar: Tar) -> tarfile.TarInfo:
        if self.type == tarfile.GNUTYPE_SPARSE:
            raise tar.refused("a file with holes (sparse)")
        if self.type in _LONG_TYPES:
            tar.check_name(self.size - 1)  # a zero byte ends it
        if self.type in (*_LONG_TYPES, *_PAX_TYPES):
            tar.count_header(self.size)
        if self.type in _PAX_TYPES:
            return self._pax(tar)
        return cast("tarfile.TarInfo", super()._proc_member(tar))  # type: ignore[misc]

    def _pax(self, tar: Tar) -> tarfile.TarInfo:
        """The entry behind a pax header; tarfile's own way keeps every key, and looks for some in quadratic time."""
        said = _kept(cast("IO[bytes]", tar.fileobj).read(_blocks(self.size))[: self.size], tar)
        if self.type == tarfile.XGLTYPE:  # of all entries from here on; tarfile gives them to each
            cast("dict[str, str]", tar.pax_headers).update(said)
        try:
            member = self.fromtarfile(tar)
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from None
        if self.type != tarfile.XGLTYPE:
            member.offset = self.offset
            member.name = said.get("path", member.name).rstrip("/")
            member.linkname = said.get("linkpath", member.linkname)
            if "size" in said:
                member.size = int(said["size"])
                has_data = member.isreg() or member.type not in tarfile.SUPPORTED_TYPES
                tar.offset = member.offset_data + (_blocks(member.size) if has_data else 0)
        return member


def _kept(data: bytes, tar: Tar) -> dict[str, str]:
    found = {}
    for key, value in _records(data.rstrip(b"\0")):
        if key.startswith(b"GNU.sparse."):
            raise tar.refused("a file with holes (sparse)")
        if key not in _KEPT_KEYS:
            continue
        if key != b"size":
            tar.check_name(len(value))
        elif not value.isdigit() or len(value) > _MAX_LENGTH_DIGITS:
            raise tarfile.ReadError("it has a size that is no number")
        found[key.decode()] = value.decode("utf-8", "surrogateescape")
    return found


def _records(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a pax header, whose records are `length key=value` and a newline."""
    at = 0
    while at < len(data):
        digits = data[at : at + _MAX_LENGTH_DIGITS].partition(b" ")[0]
        end = at + int(digits) if digits.isdigit() else at
        key, is_record, value = data[at + len(digits) + 1 : end].partition(b"=")
        if not is_record or end > len(data) or not value.endswith(b"\n"):
            raise tarfile.ReadError("it has a header that cannot be read")
        yield key, value[:-1]
        at = end


def _blocks(size: int) -> int:
    """So many bytes, filled up to whole blocks."""
    return -(-size // _BLOCK_BYTES) * _BLOCK_BYTES
