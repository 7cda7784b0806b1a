from __future__ import annotations

import struct
from pathlib import Path

import pytest
from PIL import ExifTags, Image
from reconstruction_operator.models.interface import Photo
from reconstruction_operator.models.photogrammetry import photos

from tests.support.geometry import QUIET


def prepared(path: Path, max_size: int = 1000) -> tuple[photos.PreparedPhoto, Image.Image]:
    folder = path.parent / "prepared"
    folder.mkdir()
    (one,) = photos.prepare([Photo(path, 0, 0, 0)], folder, max_size, QUIET)
    with Image.open(folder / one.name) as image:
        return one, image.copy()


def test_a_photo_lying_on_its_side_is_turned_upright(tmp_path: Path) -> None:
    lying = Image.new("RGB", (60, 40), "white")
    lying.paste("red", (0, 0, 10, 10))  # upper left as stored
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # to be turned clockwise
    lying.save(tmp_path / "lying.png", exif=exif)

    photo, upright = prepared(tmp_path / "lying.png")

    assert (photo.width, photo.height) == upright.size == (40, 60)
    red, green, _ = upright.getpixel((36, 4))  # now upper right
    assert red > 200
    assert green < 100


def test_large_photo_is_reduced_with_its_focal_length(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FocalLengthIn35mmFilm] = 72
    Image.new("RGB", (800, 600)).save(tmp_path / "large.jpg", exif=exif)

    photo, reduced = prepared(tmp_path / "large.jpg", max_size=400)

    assert reduced.size == (400, 300)
    assert photo.focal_px == pytest.approx(800.0)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        *((mode, "TIFF") for mode in ("L", "RGBA", "P", "I;16", "CMYK")),
        *(("RGB", kind) for kind in ("JPEG", "MPO", "PNG", "WEBP", "TIFF")),
    ],
)
def test_every_accepted_format_and_kind_of_pixel_becomes_rgb(tmp_path: Path, mode: str, kind: str) -> None:
    Image.new(mode, (30, 20)).save(tmp_path / "photo", kind)
    photo, result = prepared(tmp_path / "photo")
    assert (photo.width, photo.height, result.mode) == (30, 20, "RGB")


def picture_of_two_kinds() -> bytes:
    """A white TIFF of 64 x 48 px, and a black IM of 90 x 70."""
    other = b":\nImage size (x*y): 90*70\nFile type: L image\n\0\x1a" + bytes(90 * 70)
    white = b"\xff" * (64 * 48)
    at = 8 + len(other)
    tags = [(256, 64), (257, 48), (258, 8), (259, 1), (262, 1), (273, at), (277, 1), (278, 48), (279, len(white))]
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return struct.pack("<4sI", b"II*", at + len(white)) + other + white + directory + bytes(4)


def test_file_of_two_formats_is_read_in_the_checked_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.init()
    monkeypatch.setattr(Image, "ID", sorted(Image.ID))  # Pillow's readers, as where none was needed before the others
    (tmp_path / "two.tif").write_bytes(picture_of_two_kinds())

    photo, image = prepared(tmp_path / "two.tif")

    assert (photo.width, photo.height) == (64, 48)
    assert image.getpixel((0, 0)) == (255, 255, 255)


def test_names_are_ordered_as_people_count() -> None:
    names = ["IMG_10.jpg", "img_9.JPG", "IMG_1.jpg", "a.jpg"]
    assert sorted(names, key=photos.natural_order) == ["a.jpg", "IMG_1.jpg", "img_9.JPG", "IMG_10.jpg"]


def test_only_photos_of_the_same_camera_share_intrinsics(tmp_path: Path) -> None:
    for name, size in (("a", (60, 40)), ("b", (60, 40)), ("c", (40, 60))):
        Image.new("RGB", size).save(tmp_path / f"{name}.png")
    folder = tmp_path / "prepared"
    folder.mkdir()
    given = [Photo(tmp_path / f"{name}.png", 0, 0, 0) for name in "cab"]
    first, second, third = photos.prepare(given, folder, 1000, QUIET)
    assert first.camera == second.camera != third.camera
    assert [first.source, second.source, third.source] == ["a.png", "b.png", "c.png"]
