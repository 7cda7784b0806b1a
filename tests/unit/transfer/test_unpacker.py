"""Unpacker: archives of all kinds, and a table of hostile ones.

It runs in this process, without limits on memory and time.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from reconstruction_operator.transfer.names import Ignored
from reconstruction_operator.transfer.unpacker import RefusedError, UnpackRequest, unpack

from tests.support import archives
from tests.support.archives import MB, PHOTOS, pax_tar, sparse_tar, tar_member, tarred, zip_member, zipped


def unpacked(content: bytes, into: Path) -> tuple[list[str], Ignored]:
    """Of at most 20 files and 1 MB."""
    archive = into.with_name("archive")
    archive.write_bytes(content)
    with archive.open("rb") as file:
        return unpack(file.fileno(), UnpackRequest(str(into), 1_000_000, 20), lambda _: None)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(zipped(*PHOTOS), id="zip"),
        pytest.param(zipped(*PHOTOS, method=zipfile.ZIP_STORED), id="zip, stored"),
        pytest.param(tarred(*PHOTOS), id="tar"),
        pytest.param(tarred(*PHOTOS, form=tarfile.GNU_FORMAT), id="tar of GNU"),
        pytest.param(tarred(*PHOTOS, form=tarfile.USTAR_FORMAT), id="tar of 1988"),
        pytest.param(gzip.compress(tarred(*PHOTOS)), id="tar.gz"),
        pytest.param(gzip.compress(tarred(*PHOTOS)[:700]) + gzip.compress(tarred(*PHOTOS)[700:]), id="two streams"),
    ],
)
def test_photos_of_all_kinds_of_archives_are_unpacked(content: bytes, into: Path) -> None:
    assert unpacked(content, into) == (["a.jpg", "sub_b.png"], Ignored("1 other file ignored: 1 without suffix"))
    assert {path.name: path.read_bytes() for path in into.iterdir()} == {"a.jpg": b"first", "sub_b.png": b"second"}


def test_pax_headers_of_one_file_and_of_all_are_applied(into: Path) -> None:
    content = b"x" * 700
    plain = tarred(("short", b""))[:512]  # announces no content
    archive = pax_tar(("path", "größe.jpg"), ("size", "700"), ("mtime", "1.5")) + plain + content + bytes(324)
    several = pax_tar(("comment", "of git"), kind=tarfile.XGLTYPE) + archive + tarred(("b.jpg", b"y"))
    assert unpacked(several, into)[0] == ["b.jpg", "größe.jpg"]
    assert (into / "größe.jpg").read_bytes() == content


def test_long_names_and_folders_of_a_tar_are_unpacked(into: Path) -> None:
    folder = tar_member("set", tarfile.DIRTYPE)
    names, _ = unpacked(tarred((folder, b""), ("set/" + "n" * 180 + ".jpg", b"x" * 700)), into)
    assert names == ["n" * 180 + ".jpg"]


def test_the_first_of_two_photos_with_one_name_is_used(into: Path) -> None:
    assert unpacked(tarred(("a.jpg", b"first"), ("a.jpg", b"second")), into) == (
        ["a.jpg"],
        Ignored("1 other file ignored: 1 .jpg"),
    )
    assert (into / "a.jpg").read_bytes() == b"first"


ENTRY = tarred(("a.jpg", b"x"))


def test_tar_entry_of_negative_size_yields_no_photo(into: Path) -> None:
    """tarfile since CVE-2025-8194 was fixed takes it for the end of the archive."""
    with contextlib.suppress(RefusedError):
        assert unpacked(pax_tar(("size", "-1")) + ENTRY, into) == ([], "")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        pytest.param(zipped(("../a.jpg", b"x")), "leads out of it", id="zip: dots"),
        pytest.param(zipped(("/etc/a.jpg", b"x")), "leads out of it", id="zip: absolute"),
        pytest.param(zipped(("..\\a.jpg", b"x")), "leads out of it", id="zip: dots of Windows"),
        pytest.param(zipped(("C:\\a.jpg", b"x")), "leads out of it", id="zip: a drive of Windows"),
        pytest.param(zipped((zip_member("a.jpg", stat.S_IFLNK | 0o777), b"/etc/passwd")), "a link", id="zip: a link"),
        pytest.param(zipped(*((f"{n}.txt", b"") for n in range(21))), "more than 20 files", id="zip: too many entries"),
        pytest.param(zipped(("a.jpg", b"\0" * (2 * MB))), "more than 1 MB", id="zip: a bomb"),
        pytest.param(
            archives.zip_that_lies_about_its_size(),
            "damaged: Bad CRC-32 for file 'a.jpg'",
            id="zip: announces less than it holds",
        ),
        pytest.param(zipped(("a.jpg", b"x"), method=zipfile.ZIP_BZIP2), "method 12", id="zip: bzip2"),
        pytest.param(archives.zip_with_a_huge_directory(), "damaged", id="zip: announces a huge directory"),
        pytest.param(archives.encrypted_zip(), "password", id="zip: encrypted"),
        pytest.param(zipped(("a.jpg", b"x" * 5000))[:-30], "damaged", id="zip: cut off"),
        pytest.param(zipped(("n" * 4097, b"x")), "name of more than 4096", id="zip: a long name"),
        pytest.param(archives.zip_with_entries_before_it(), "damaged: an entry is outside", id="zip: before it"),
        pytest.param(archives.zip_with_entries_behind_it(), "damaged: an entry is outside", id="zip: behind it"),
        pytest.param(tarred(("../a.jpg", b"x")), "leads out of it", id="tar: dots"),
        pytest.param(tarred((tar_member("a.jpg", tarfile.SYMTYPE, "/etc/passwd"), b"")), "a link", id="tar: a link"),
        pytest.param(tarred((tar_member("a.jpg", tarfile.LNKTYPE, "/etc/passwd"), b"")), "a link", id="tar: hard link"),
        pytest.param(tarred((tar_member("a.txt", tarfile.FIFOTYPE), b"")), "a device", id="tar: a pipe"),
        pytest.param(
            gzip.compress(tarred(("a.txt", b"\0" * (2 * MB)))), "more than 1 MB", id="tar: a bomb that is no photo"
        ),
        pytest.param(archives.tar_with_a_huge_pax_header(8), "damaged", id="tar: announces a huge header"),
        pytest.param(sparse_tar(), "sparse file", id="tar: holes"),
        pytest.param(sparse_tar(more=True), "damaged", id="tar: a chain of holes that is cut off"),
        pytest.param(pax_tar(("GNU.sparse.map", "0,1,5")) + ENTRY, "sparse file", id="tar: a map of holes, 0.1"),
        pytest.param(pax_tar(("GNU.sparse.size", "many")) + ENTRY, "damaged", id="tar: a map of holes, 0.0"),
        pytest.param(pax_tar(("path", "n" * 4097)) + ENTRY, "name of more than 4096 characters", id="tar: a long name"),
        pytest.param(
            pax_tar(("linkpath", "n" * 4097)) + ENTRY, "name of more than 4096", id="tar: a long name of a target"
        ),
        pytest.param(pax_tar(("size", "1" * 5000)), "damaged", id="tar: a size of 5000 digits"),
        pytest.param(pax_tar(("comment", "x")) * 2000 + ENTRY, "damaged", id="tar: many headers"),
        pytest.param(pax_tar(("path", "a.jpg"))[:-512], "damaged", id="tar: a header that is cut off"),
        pytest.param(tarred(("a/" * 65 + "a.jpg", b"x")), "nested more than 64 deep", id="tar: folders in folders"),
        pytest.param(gzip.compress(tarred(("a.jpg", b"x" * 5000)))[:-30], "damaged", id="tar.gz: cut off"),
        pytest.param(tarred(("a.jpg", b"x" * 5000))[:2000], "damaged", id="tar: cut off"),
        pytest.param(gzip.compress(b"no tar at all" * 100), "damaged", id="gzip of something else"),
        pytest.param(bz2.compress(tarred(*PHOTOS)), r"neither .* \(.zip, .tar, .tar.gz\)", id="tar.bz2"),
        pytest.param(
            b"\xff\xd8\xff\xe0" + zipped(("a.jpg", b"x")), "neither a folder nor an archive", id="one behind a photo"
        ),
        pytest.param(b"", "neither a folder nor an archive", id="an empty file"),
    ],
)
def test_hostile_or_broken_archive_is_refused(content: bytes, text: str, into: Path) -> None:
    with pytest.raises(RefusedError, match=text):
        unpacked(content, into)
    assert not (into.parent.parent / "a.jpg").exists()
