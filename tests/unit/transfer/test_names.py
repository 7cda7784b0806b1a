"""File names: which are photos, their order, and flat names."""

from __future__ import annotations

import pytest
from reconstruction_operator.transfer import names


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(["set/a.jpg", "set/b.jpg"], ["a.jpg", "b.jpg"], id="one shared folder is dropped"),
        pytest.param(["x/set/a.jpg", "x/set/b.jpg"], ["a.jpg", "b.jpg"], id="two shared folders"),
        pytest.param(
            ["set/1/a.jpg", "set/2/a.jpg"], ["1_a.jpg", "2_a.jpg"], id="other folders become part of the name"
        ),
        pytest.param(["a.jpg", "sub/a.jpg"], ["a.jpg", "sub_a.jpg"], id="a folder below photos"),
        pytest.param(["a/b.jpg", "a_b.jpg"], ["a_b.jpg", "a_b-2.jpg"], id="names that become the same"),
        pytest.param(["A.JPG", "a.jpg"], ["A.JPG", "a-2.jpg"], id="names that differ by case alone"),
        pytest.param(["-rf.jpg", "b.jpg"], ["rf.jpg", "b.jpg"], id="no option"),
        pytest.param(["a\nb;c.jpg", "d.jpg"], ["a_b_c.jpg", "d.jpg"], id="characters that hurt shells and logs"),
        pytest.param(["größe.jpg", "写真.jpg"], ["größe.jpg", "写真.jpg"], id="letters of all languages stay"),
        pytest.param([], [], id="nothing"),
    ],
)
def test_nested_names_are_flattened(given: list[str], expected: list[str]) -> None:
    assert names.flattened(given) == expected


def test_long_name_is_shortened_for_the_file_system() -> None:
    (name,) = names.flattened(["ö" * 300 + ".jpg"])
    assert len(name.encode()) <= 255
    assert name.endswith(".jpg")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("DSC_0426.JPG", True, id="upper case"),
        pytest.param("sub/a.tiff", True, id="in a folder"),
        pytest.param("LICENSE", False, id="no suffix"),
        pytest.param("a.heic", True, id="heic"),
        pytest.param("a.cr2", False, id="camera RAW"),
        pytest.param("._DSC_0426.JPG", False, id="macOS resource fork"),
        pytest.param("__MACOSX/set/a.jpg", False, id="macOS folder"),
        pytest.param("@eaDir/a.jpg", False, id="thumbnail of a file server"),
    ],
)
def test_photos_are_recognized_by_suffix(name: str, expected: bool) -> None:
    assert names.is_photo(name) is expected


@pytest.mark.parametrize(
    "expected",
    [
        pytest.param(["a/2.jpg", "img_1.jpg", "IMG_9.jpg", "IMG_10.jpg"], id="as people count"),
        pytest.param(["a1.jpg", "a1b.jpg", "a2.jpg", "a.jpg", "ab.jpg"], id="numbers before letters"),
        pytest.param(["1-9.jpg", "1-10.jpg", "2-1.jpg", "10-1.jpg"], id="two numbers"),
        pytest.param(["a0.jpg", "a007.jpg", "a10.jpg"], id="zeros in front"),
        pytest.param([f"{'9' * 4999}.jpg", f"1{'0' * 4999}.jpg"], id="more digits than Python converts"),
        pytest.param(["1.jpg", f"{'9' * 60_000}.jpg"], id="more digits than are counted"),
    ],
)
def test_photos_are_in_natural_order(expected: list[str]) -> None:
    given = expected[::-1]
    assert sorted(given, key=names.natural) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param([], "", id="none"),
        pytest.param(["LICENSE"], "1 other file ignored: 1 without suffix", id="one"),
        pytest.param(["a.cr2", "b.CR2", "c.txt"], "3 other files ignored: 2 .cr2, 1 .txt", id="counted by kind"),
        pytest.param(["a.\udcff\n"], "1 other file ignored: 1 .��", id="bytes that are no text"),
        pytest.param([".DS_Store", "__MACOSX/a.jpg"], "", id="junk is not mentioned"),
    ],
)
def test_ignored_files_are_counted_by_kind(given: list[str], expected: str) -> None:
    assert names.ignored(given).text == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(["a.txt", "b.jpgg"], "", id="no picture"),
        pytest.param(["a.dng", "b.DNG", "c.mkv"], "2 .dng (camera RAW), 1 .mkv (video)", id="commonest first"),
        pytest.param([".a.dng", "__MACOSX/b.dng"], "", id="junk"),
    ],
)
def test_pictures_that_no_worker_reads_are_named_by_kind(given: list[str], expected: str) -> None:
    assert names.ignored(given).unread == expected
