"""Archives, well-formed and hostile, built byte by byte."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile

MB = 1 << 20

PHOTOS = (
    ("set/a.jpg", b"first"),
    ("set/sub/b.png", b"second"),
    ("set/LICENSE", b"text"),
    ("__MACOSX/._a.jpg", b"junk"),
)


def zipped(*entries: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, content in entries:
            file.writestr(name, content)
    return buffer.getvalue()


def tarred(*entries: tuple[str | tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.TarFile(fileobj=buffer, mode="w", format=form) as file:
        for name, content in entries:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def tar_member(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zip_member(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


def encrypted_zip() -> bytes:
    data = bytearray(zipped(("a.jpg", b"x" * 100)))
    data[6] |= 1  # flag of the local header
    data[data.index(b"PK\x01\x02") + 8] |= 1  # and of the directory
    return bytes(data)


def zip_that_lies_about_its_size() -> bytes:
    """Return an archive whose directory announces 10 bytes of a file with 2 MB."""
    data = bytearray(zipped(("a.jpg", b"\0" * (2 * MB))))
    at = data.index(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", 10)
    return bytes(data)


def zip_with_a_huge_directory() -> bytes:
    data = bytearray(zipped(("a.jpg", b"x")))
    at = data.rindex(b"PK\x05\x06")
    data[at + 12 : at + 16] = struct.pack("<I", 500 * MB)
    return bytes(data)


def tar_with_a_huge_pax_header(real_megabytes: int) -> bytes:
    """Return an archive whose pax header announces 900 MB."""
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 900 * MB
    return gzip.compress(header.tobuf(tarfile.USTAR_FORMAT)) + gzip.compress(bytes(MB)) * real_megabytes


def zip_with_a_real_huge_directory(entries: int) -> bytes:
    """Return an archive that lists one entry many times: zipfile keeps an object and the name for each."""
    data = zipped(("n" * 800, b"x"))
    start = data.index(b"PK\x01\x02")
    end = data.rindex(b"PK\x05\x06")
    directory = data[start:end] * entries
    record = bytearray(data[end:])
    record[12:16] = struct.pack("<I", len(directory))
    return data[:start] + directory + bytes(record)


def zip_with_entries_before_it() -> bytes:
    data = bytearray(zipped(("a.jpg", b"x")))
    at = data.rindex(b"PK\x05\x06")
    data[at + 16 : at + 20] = struct.pack("<I", 5000)  # the announced start of the directory
    return bytes(data)


def zip_with_entries_behind_it() -> bytes:
    data = bytearray(zipped(("a.jpg", b"x")))
    at = data.index(b"PK\x01\x02")
    data[at + 42 : at + 46] = struct.pack("<I", 0xFFFFFFF0)
    return bytes(data)


def pax_tar(*records: tuple[str, str], kind: bytes = tarfile.XHDTYPE, raw: bytes = b"") -> bytes:
    """Return only a pax header, which an entry must follow."""
    for key, value in records:
        text = f" {key}={value}\n".encode()
        length = len(text) + len(str(len(text)))
        length = len(text) + len(str(length))
        raw += str(length).encode() + text
    header = tarfile.TarInfo("pax")
    header.type, header.size = kind, len(raw)
    return header.tobuf(tarfile.USTAR_FORMAT) + raw + bytes(-len(raw) % 512)


def sparse_tar(*, more: bool = False) -> bytes:
    """Return a GNU sparse file: 8 GB of holes in an archive of 1 kB."""
    info = tarfile.TarInfo("a.jpg")
    info.size = 0
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    block[156:157] = tarfile.GNUTYPE_SPARSE
    block[386:398] = b"00000000000\0"  # offset of the first piece
    block[398:410] = b"00000000000\0"  # its size
    block[483:495] = b"77777777777\0"  # the file's real size
    block[482] = more  # whether further blocks follow
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + (b"" if more else b"\0" * 1024)


def tar_with_records_in_records() -> bytes:
    """Return an archive in which tarfile, before the fix of CVE-2024-6232, finds 130,000 keys of up to 260 kB."""
    return pax_tar(raw=b"2 " * 130_000 + b"x=\n")


def tar_with_a_chain_of_holes() -> bytes:
    """Return an archive with 10 MB of holes, which tarfile keeps one by one."""
    block = b"".join(b"%011d\0%011d\0" % (1, 1) for _ in range(21)) + b"\1" + bytes(7)
    return gzip.compress(sparse_tar(more=True) + block * (10 * MB // 512) + bytes(512), 1)


def zip_of_empty_blocks() -> bytes:
    """Return an archive with a photo of 30 MB of deflate blocks that contain nothing."""
    data = bytearray(zipped(("a.jpg", b""), method=zipfile.ZIP_DEFLATED))
    packed = b"\0\0\0\xff\xff" * 6_000_000 + b"\1\0\0\xff\xff"
    at = data.index(b"PK\x01\x02")
    local = data[:35]
    directory = data[at : data.index(b"PK\x05\x06")]
    end = data[data.index(b"PK\x05\x06") :]
    directory[20:28] = struct.pack("<II", len(packed), 1)  # one byte is announced
    end[16:20] = struct.pack("<I", 35 + len(packed))
    return bytes(local + packed + directory + end)
