"""Archives of all kinds, and archives that were made to hurt."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import struct
import tarfile
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from reconstruction_operator.transfer import archive as archives
from reconstruction_operator.transfer import fetch
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits

MB = 1 << 20


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
    """The directory says 10 bytes; there are 2 MB."""
    data = bytearray(zipped(("a.jpg", b"\0" * (2 * MB))))
    at = data.index(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", 10)
    return bytes(data)


def zip_that_says_one_terabyte() -> bytes:
    """In the extra field of ZIP64, which is there for sizes like that; there are 2 MB."""
    extra = struct.pack("<HHQ", 1, 8, 1 << 40)
    info = zipfile.ZipInfo("a.jpg")
    info.extra = extra
    data = bytearray(zipped((info, b"\0" * (2 * MB))))
    at = data.index(b"PK\x01\x02")
    data[at + 24 : at + 28] = b"\xff\xff\xff\xff"
    return bytes(data)


def zip_with_a_huge_directory() -> bytes:
    data = bytearray(zipped(("a.jpg", b"x")))
    at = data.rindex(b"PK\x05\x06")
    data[at + 12 : at + 16] = struct.pack("<I", 500 * MB)
    return bytes(data)


def tar_with_a_huge_pax_header() -> bytes:
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 900 * MB
    return gzip.compress(header.tobuf(tarfile.USTAR_FORMAT) + b"\0" * (8 * MB))


def zip_with_a_huge_directory_of_64_bits() -> bytes:
    """zipfile takes the 64-bit record whatever the one of 32 bits says, and from where it should be."""
    data = zipped(("a.jpg", b"x"))
    at = data.rindex(b"PK\x05\x06")
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, 500 * MB, 0)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, at, 1)
    return data[:at] + record + locator + data[at:]


def zip_with_entries_before_it() -> bytes:
    data = bytearray(zipped(("a.jpg", b"x")))
    at = data.rindex(b"PK\x05\x06")
    data[at + 16 : at + 20] = struct.pack("<I", 5000)  # where the directory is said to begin
    return bytes(data)


def zip_with_entries_behind_it() -> bytes:
    data = bytearray(zipped(("a.jpg", b"x")))
    at = data.index(b"PK\x01\x02")
    data[at + 42 : at + 46] = struct.pack("<I", 0xFFFFFFF0)
    return bytes(data)


def pax_tar(*records: tuple[str, str], kind: bytes = tarfile.XHDTYPE, raw: bytes = b"") -> bytes:
    """A pax header, with nothing behind it."""
    for key, value in records:
        text = f" {key}={value}\n".encode()
        length = len(text) + len(str(len(text)))
        length = len(text) + len(str(length))
        raw += str(length).encode() + text
    header = tarfile.TarInfo("pax")
    header.type, header.size = kind, len(raw)
    return header.tobuf(tarfile.USTAR_FORMAT) + raw + bytes(-len(raw) % 512)


def sparse_tar(*, more: bool = False) -> bytes:
    """A GNU sparse file: 8 GB of holes in an archive of 1 kB."""
    info = tarfile.TarInfo("a.jpg")
    info.size = 0
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    block[156:157] = tarfile.GNUTYPE_SPARSE
    block[386:398] = b"00000000000\0"  # offset of the first piece
    block[398:410] = b"00000000000\0"  # its size
    block[483:495] = b"77777777777\0"  # the file's real size
    block[482] = more  # whether blocks follow that say more
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + (b"" if more else b"\0" * 1024)


def unpack(content: bytes, tmp_path: Path, into: Path, limits: Limits) -> archives.Unpacked:
    archive = tmp_path / "archive"
    archive.write_bytes(content)
    with archive.open("rb") as file:
        return archives.unpack(file, "set", into, limits, lambda *_: None)


PHOTOS = (
    ("set/a.jpg", b"first"),
    ("set/sub/b.png", b"second"),
    ("set/LICENSE", b"text"),
    ("__MACOSX/._a.jpg", b"junk"),
)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(zipped(*PHOTOS), id="zip"),
        pytest.param(zipped(*PHOTOS, method=zipfile.ZIP_STORED), id="zip, stored"),
        pytest.param(tarred(*PHOTOS), id="tar"),
        pytest.param(tarred(*PHOTOS, form=tarfile.GNU_FORMAT), id="tar of GNU"),
        pytest.param(tarred(*PHOTOS, form=tarfile.USTAR_FORMAT), id="tar of 1988"),
        pytest.param(gzip.compress(tarred(*PHOTOS)), id="tar.gz"),
        pytest.param(bz2.compress(tarred(*PHOTOS)), id="tar.bz2"),
        pytest.param(lzma.compress(tarred(*PHOTOS)), id="tar.xz"),
        pytest.param(lzma.compress(tarred(*PHOTOS), preset=9), id="tar.xz, level 9"),
        pytest.param(
            lzma.compress(tarred(*PHOTOS)[:700]) + b"\0" * 8 + lzma.compress(tarred(*PHOTOS)[700:]) + b"\0" * 70_000,
            id="tar.xz in two streams",
        ),
    ],
)
def test_photos_come_out_of_archives_of_all_kinds(content: bytes, tmp_path: Path, into: Path, limits: Limits) -> None:
    found = unpack(content, tmp_path, into, limits)
    assert {name: path.read_bytes() for name, path in found.photos.items()} == {
        "set/a.jpg": b"first",
        "set/sub/b.png": b"second",
    }
    assert found.ignored == ["set/LICENSE", "__MACOSX/._a.jpg"]


def test_headers_for_one_file_and_for_all_are_heeded(tmp_path: Path, into: Path, limits: Limits) -> None:
    content = b"x" * 700
    plain = tarred(("short", b""))[:512]  # says that it has no content
    one = pax_tar(("path", "größe.jpg"), ("size", "700"), ("mtime", "1.5")) + plain + content + bytes(324)
    several = pax_tar(("comment", "of git"), kind=tarfile.XGLTYPE) + one + tarred(("b.jpg", b"y"))
    found = unpack(several, tmp_path, into, limits)
    assert {name: path.read_bytes() for name, path in found.photos.items()} == {"größe.jpg": content, "b.jpg": b"y"}


def test_long_names_and_folders_come_out_of_a_tar(tmp_path: Path, into: Path, limits: Limits) -> None:
    folder = tar_member("set", tarfile.DIRTYPE)
    long = "set/" + "n" * 180 + ".jpg"
    found = unpack(tarred((folder, b""), (long, b"x" * 700)), tmp_path, into, limits)
    assert [(name, path.stat().st_size) for name, path in found.photos.items()] == [(long, 700)]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        pytest.param(zipped(("../a.jpg", b"x")), "points elsewhere", id="zip: dots"),
        pytest.param(zipped(("a/../../b.jpg", b"x")), "points elsewhere", id="zip: dots inside"),
        pytest.param(zipped(("/etc/a.jpg", b"x")), "points elsewhere", id="zip: absolute"),
        pytest.param(zipped(("..\\a.jpg", b"x")), "points elsewhere", id="zip: dots of Windows"),
        pytest.param(zipped(("C:\\a.jpg", b"x")), "points elsewhere", id="zip: a drive of Windows"),
        pytest.param(zipped((zip_member("a.jpg", stat.S_IFLNK | 0o777), b"/etc/passwd")), "a link", id="zip: a link"),
        pytest.param(zipped((zip_member("a.jpg", stat.S_IFIFO | 0o666), b"")), "a device", id="zip: a pipe"),
        pytest.param(zipped(*((f"{n}.txt", b"") for n in range(21))), "more than 20 files", id="zip: too many entries"),
        pytest.param(
            zipped(*((f"{n}.jpg", b"") for n in range(10_000))), "more than 20 files", id="zip: 10,000 entries"
        ),
        pytest.param(zipped(("a.jpg", b"\0" * (2 * MB))), "more than 1 MB", id="zip: a bomb"),
        pytest.param(zip_that_says_one_terabyte(), "more than 1 MB", id="zip: 1 TB, as it says"),
        pytest.param(
            zip_that_lies_about_its_size(), "damaged: Bad CRC-32 for file 'a.jpg'", id="zip: less, as it says"
        ),
        pytest.param(zipped(("a.jpg", b"x"), method=zipfile.ZIP_BZIP2), "method 12", id="zip: bzip2"),
        pytest.param(zipped(("a.jpg", b"x"), method=zipfile.ZIP_LZMA), "method 14", id="zip: lzma"),
        pytest.param(zip_with_a_huge_directory(), "more than 20 files", id="zip: a huge directory"),
        pytest.param(encrypted_zip(), "password", id="zip: encrypted"),
        pytest.param(zipped(("a.jpg", b"x" * 5000))[:-30], "damaged", id="zip: cut off"),
        pytest.param(b"PK\x03\x04" + b"x" * 200, "damaged", id="zip: only its magic"),
        pytest.param(tarred(("../a.jpg", b"x")), "points elsewhere", id="tar: dots"),
        pytest.param(tarred(("/etc/a.jpg", b"x")), "points elsewhere", id="tar: absolute"),
        pytest.param(tarred((tar_member("a.jpg", tarfile.SYMTYPE, "/etc/passwd"), b"")), "a link", id="tar: a link"),
        pytest.param(tarred((tar_member("a.jpg", tarfile.LNKTYPE, "/etc/passwd"), b"")), "a link", id="tar: hard link"),
        pytest.param(tarred((tar_member("a.jpg", tarfile.CHRTYPE), b"")), "a device", id="tar: a device"),
        pytest.param(tarred((tar_member("a.txt", tarfile.FIFOTYPE), b"")), "a device", id="tar: a pipe"),
        pytest.param(tarred(*((f"{n}.txt", b"") for n in range(21))), "more than 20 files", id="tar: too many entries"),
        pytest.param(gzip.compress(tarred(("a.jpg", b"\0" * (2 * MB)))), "more than 1 MB", id="tar: a bomb"),
        pytest.param(
            gzip.compress(tarred(("a.txt", b"\0" * (2 * MB)))), "more than 1 MB", id="tar: a bomb that is no photo"
        ),
        pytest.param(tar_with_a_huge_pax_header(), "headers of more than 256 kB", id="tar: a huge header"),
        pytest.param(sparse_tar(), "with holes", id="tar: holes"),
        pytest.param(sparse_tar(more=True), "with holes", id="tar: a chain of holes that is cut off"),
        pytest.param(pax_tar(("GNU.sparse.map", "0,1,5")), "with holes", id="tar: a map of holes, 0.1"),
        pytest.param(pax_tar(("GNU.sparse.size", "many")), "with holes", id="tar: a map of holes, 0.0"),
        pytest.param(pax_tar(("GNU.sparse.realsize", "many")), "with holes", id="tar: only the size with holes"),
        pytest.param(
            pax_tar(("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0")), "with holes", id="tar: a map of holes, 1.0"
        ),
        pytest.param(
            pax_tar(("GNU.sparse.map", "0,1"), kind=tarfile.XGLTYPE), "with holes", id="tar: a map of holes for all"
        ),
        pytest.param(pax_tar(("path", "n" * 4097)), "name of more than 4096 characters", id="tar: a long name"),
        pytest.param(pax_tar(("linkpath", "n" * 4097)), "name of more than 4096", id="tar: a long name of a target"),
        pytest.param(pax_tar(("size", "1" * 5000)), "damaged", id="tar: a size of 5000 digits"),
        pytest.param(pax_tar(("size", "-1")), "damaged", id="tar: a size below zero"),
        pytest.param(pax_tar(("comment", "x" * 300_000)), "headers of more than 256 kB", id="tar: a large header"),
        pytest.param(pax_tar(("comment", "x")) * 9, "or 8 pieces", id="tar: many headers"),
        pytest.param(pax_tar(raw=b"9 path=a\n"), "damaged", id="tar: a record with a wrong length"),
        pytest.param(pax_tar(raw=b"\xff" * 20), "damaged", id="tar: a header that is none"),
        pytest.param(pax_tar(("path", "a.jpg"))[:-512], "damaged", id="tar: a header that is cut off"),
        pytest.param(
            tarred(("n" * 4097 + ".jpg", b"x"), form=tarfile.GNU_FORMAT), "name of more than 4096", id="tar: GNU name"
        ),
        pytest.param(tarred(("a/" * 65 + "a.jpg", b"x")), "more than 64 deep", id="tar: folders in folders"),
        pytest.param(zipped(("n" * 4097, b"x")), "name of more than 4096", id="zip: a long name"),
        pytest.param(zip_with_a_huge_directory_of_64_bits(), "more than 20 files", id="zip: a huge directory, 64 bits"),
        pytest.param(zip_with_entries_before_it(), "damaged: an entry lies outside", id="zip: entries before it"),
        pytest.param(zip_with_entries_behind_it(), "damaged: an entry lies outside", id="zip: entries behind it"),
        pytest.param(b"BZh9" + b"x" * 100, "damaged: Invalid data stream", id="bz2: only its magic"),
        pytest.param(gzip.compress(tarred(("a.jpg", b"x" * 5000)))[:-30], "damaged", id="tar.gz: cut off"),
        pytest.param(tarred(("a.jpg", b"x" * 5000))[:2000], "damaged", id="tar: cut off"),
        pytest.param(gzip.compress(b"no tar at all" * 100), "damaged", id="gzip of something else"),
        pytest.param(b"\xfd7zXZ\x00" + b"x" * 100, "damaged", id="xz: only its magic"),
        pytest.param(
            lzma.compress(tarred(("a.jpg", b"x" * 5000)))[:100], "damaged: it is cut off", id="tar.xz: cut off"
        ),
        pytest.param(b"Rar!\x1a\x07\x00", "neither a folder nor an archive", id="another kind of archive"),
        pytest.param(
            b"\xff\xd8\xff\xe0" + zipped(("a.jpg", b"x")), "neither a folder nor an archive", id="one behind a photo"
        ),
        pytest.param(b"", "neither a folder nor an archive", id="an empty file"),
    ],
)
def test_a_hostile_or_broken_archive_is_refused(
    content: bytes, text: str, tmp_path: Path, into: Path, limits: Limits
) -> None:
    with pytest.raises(StorageError) as caught:
        unpack(content, tmp_path, into, limits)
    assert caught.value.reason == "INPUT_REFUSED"
    assert text in caught.value.message
    assert not (tmp_path.parent / "a.jpg").exists()


def tar_bomb_of_one_terabyte() -> bytes:
    """2 MB: one photo of zeros, in streams of 81 bytes that are 45 MB each."""
    header = tarfile.TarInfo("a.jpg")
    header.size = 1 << 40
    stream_bytes = 45 * MB
    streams = -(-header.size // stream_bytes)
    return bz2.compress(header.tobuf(tarfile.GNU_FORMAT)) + bz2.compress(bytes(stream_bytes)) * streams


def zip_bomb_in_one_read() -> bytes:
    """300 bytes: zipfile would decompress all of its 45 MB in one piece, whatever it is asked for."""
    return zipped(("a.jpg", bytes(45 * MB)), method=zipfile.ZIP_BZIP2)


def xz_with_a_dictionary_of_gigabytes() -> bytes:
    """10 kB that unpack to 60 MB, and a header that lets the decompressor keep up to 1.5 GB of what it has seen."""
    data = bytearray(lzma.compress(tarred(("a.jpg", bytes(60 * MB))), preset=0))
    header = data[12 : 12 + 4 * (data[12] + 1)]
    header[header.index(b"\x21\x01") + 2] = 37  # of the filter LZMA2: 2 ** 30 + 2 ** 29
    header[-4:] = struct.pack("<I", zlib.crc32(header[:-4]))
    data[12 : 12 + len(header)] = header
    return bytes(data)


def tar_with_records_in_records() -> bytes:
    """tarfile of Python 3.11.7 would find 130,000 keys of up to 260 kB in it."""
    return pax_tar(raw=b"2 " * 130_000 + b"x=\n")


def tar_with_a_chain_of_holes() -> bytes:
    """60 MB of holes, which tarfile would keep one by one."""
    block = b"".join(b"%011d\0%011d\0" % (1, 1) for _ in range(21)) + b"\1" + bytes(7)
    return gzip.compress(sparse_tar(more=True) + block * (60 * MB // 512), 1)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        pytest.param(xz_with_a_dictionary_of_gigabytes, "needs more than 128 MB of memory", id="tar.xz, dictionary"),
        pytest.param(tar_bomb_of_one_terabyte, "unpacks to more than 64 MB", id="tar.bz2 of 1 TB"),
        pytest.param(zip_bomb_in_one_read, "method 12", id="zip in one read"),
        pytest.param(tar_with_records_in_records, "damaged", id="tar, records in records"),
        pytest.param(tar_with_a_chain_of_holes, "with holes", id="tar.gz, holes"),
    ],
)
def test_a_bomb_is_refused_in_little_time_and_little_memory(
    make: Callable[[], bytes], text: str, tmp_path: Path, into: Path, limits: Limits
) -> None:
    content = make()
    assert len(content) < 2 * MB
    tracemalloc.start()
    begun = time.process_time()
    try:
        with pytest.raises(StorageError, match=f"INPUT_REFUSED: .*{text}"):
            unpack(content, tmp_path, into, replace(limits, max_bytes=64 * MB))
        assert time.process_time() - begun < 10.0
        assert tracemalloc.get_traced_memory()[1] < 32 * MB
    finally:
        tracemalloc.stop()
    assert sum(path.stat().st_size for path in into.iterdir()) <= 64 * MB


class EnoughError(Exception):
    pass


def zip_of_empty_blocks() -> bytes:
    """One photo of 30 MB of deflate that nothing comes out of."""
    data = bytearray(zipped(("a.jpg", b""), method=zipfile.ZIP_DEFLATED))
    packed = b"\0\0\0\xff\xff" * 6_000_000 + b"\1\0\0\xff\xff"
    at = data.index(b"PK\x01\x02")
    local, directory, end = data[:35], data[at : data.index(b"PK\x05\x06")], data[data.index(b"PK\x05\x06") :]
    directory[20:28] = struct.pack("<II", len(packed), 1)  # it says that one byte comes
    end[16:20] = struct.pack("<I", 35 + len(packed))
    return bytes(local + packed + directory + end)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(gzip.compress(b"") * 100_000, id="gzip: empty pieces"),
        pytest.param(bz2.compress(b"") * 100_000, id="bz2: empty pieces"),
        pytest.param(lzma.compress(b"") * 20_000, id="xz: empty pieces"),
        pytest.param(lzma.compress(tarred(("a.txt", b"x"))[:512]) + bytes(2_000_000), id="xz: zeros behind it"),
        pytest.param(tarred(("a.txt", bytes(50 * MB))), id="tar: a file that is no photo"),
        pytest.param(zip_of_empty_blocks(), id="zip: empty blocks"),
    ],
)
def test_whoever_waits_can_end_what_nothing_comes_out_of(
    content: bytes, tmp_path: Path, into: Path, limits: Limits
) -> None:
    ticks = 0

    def tick(_fraction: float, text: str) -> None:
        nonlocal ticks
        ticks += 1
        if ticks == 25:
            raise EnoughError(text)

    (tmp_path / "archive").write_bytes(content)
    with (tmp_path / "archive").open("rb") as file, pytest.raises(EnoughError, match="0 photos unpacked"):
        archives.unpack(file, "set", into, replace(limits, max_bytes=64 * MB), tick)


def test_a_compressed_tar_is_read_in_one_go(tmp_path: Path, into: Path, limits: Limits) -> None:
    """Going back by one byte makes a decompressor begin anew: that would be a minute for this one."""
    photos = ((f"{n}.jpg", bytes(512 * 80)) for n in range(19))
    begun = time.process_time()
    found = unpack(gzip.compress(tarred(*photos), 1), tmp_path, into, limits)
    assert len(found.photos) == 19
    assert time.process_time() - begun < 1.0


def test_an_archive_in_an_input_root_becomes_one_flat_folder(
    into: Path, limits: Limits, make_photo: Callable[..., bytes]
) -> None:
    archive = limits.roots[0] / "set.zip"
    archive.write_bytes(zipped(("set/1/a.jpg", make_photo()), ("set/2/a.jpg", make_photo()), ("set/x.heic", b"")))
    fetched = fetch.fetch(f"file://{archive}", into, limits, lambda *_: None)
    assert [path.relative_to(into).as_posix() for path in fetched.photos] == ["1_a.jpg", "2_a.jpg"]
    assert fetched.ignored_text == "1 other file ignored: 1 .heic"
    assert sorted(path.name for path in into.iterdir()) == ["1_a.jpg", "2_a.jpg"]
