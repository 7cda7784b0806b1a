from __future__ import annotations

import struct
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, JpegImagePlugin
from reconstruction_operator.models.interface import ModelFailure, Photo, mask_of
from reconstruction_operator.models.photogrammetry import parallel
from reconstruction_operator.models.photogrammetry.input import metadata, photos
from reconstruction_operator.models.photogrammetry.input.metadata import Metadata

from tests.support.engine.geometry import QUIET


def prepared(path: Path, max_size: int = 1000) -> tuple[photos.PreparedPhoto, Image.Image]:
    folder = path.parent / "prepared"
    folder.mkdir()
    (photo,) = photos.prepare([Photo(path, 1, 1, 1)], folder, max_size, threads=1, progress=QUIET)
    with Image.open(folder / photo.name) as image:
        return photo, image.copy()


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


def test_a_prepared_photo_keeps_fine_detail_and_colours(tmp_path: Path) -> None:
    colours = np.random.default_rng(0).integers(60, 200, (60, 80, 3), dtype=np.uint8)
    Image.fromarray(colours).save(tmp_path / "noise.png")
    _, result = prepared(tmp_path / "noise.png")
    assert np.abs(np.asarray(result).astype(float) - colours).mean() < 1.5


@pytest.mark.parametrize(
    ("max_size", "decoded"),
    [(800, (800, 600)), (401, (800, 600)), (400, (400, 300)), (201, (400, 300)), (100, (100, 75))],
)
def test_a_jpeg_is_decoded_at_the_least_size_that_is_enough(
    max_size: int, decoded: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = list[tuple[int, int]]()
    load = JpegImagePlugin.JpegImageFile.load

    def load_and_tell(image: JpegImagePlugin.JpegImageFile) -> object:
        sizes.append(image.size)
        return load(image)

    monkeypatch.setattr(JpegImagePlugin.JpegImageFile, "load", load_and_tell)
    Image.new("RGB", (800, 600)).save(tmp_path / "large.jpg")
    photos.read_srgb(tmp_path / "large.jpg", max_size, max_size * 3 // 4)
    assert set(sizes) == {decoded}


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


def display_p3() -> bytes:
    """An ICC profile of the least tags: the primaries and the curve of Display P3."""

    def numbers(*values: float) -> bytes:
        return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))

    curve = struct.pack(">4sIHH", b"para", 0, 3, 0) + numbers(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    places = {
        b"wtpt": (0.96419, 1.0, 0.82489),
        b"rXYZ": (0.51512, 0.24120, -0.00105),
        b"gXYZ": (0.29198, 0.69225, 0.04189),
        b"bXYZ": (0.15710, 0.06657, 0.78407),
    }
    tags = {name: b"XYZ \0\0\0\0" + numbers(*xyz) for name, xyz in places.items()}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    start = 128 + 4 + 12 * len(tags)
    table, content = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += name + struct.pack(">II", start + len(content), len(data))
        content += data
    header = struct.pack(">I4sI4s4s4s", start + len(content), b"", 0x04000000, b"mntr", b"RGB ", b"XYZ ")
    header += bytes(12) + b"acsp" + bytes(28) + numbers(0.96419, 1.0, 0.82489)
    return header.ljust(128, b"\0") + table + content


def grey(brightest: int) -> Image.Image:
    """A picture of 16 bits, half as bright as its first pixel."""
    levels = np.full((20, 30), brightest // 2 + 1, np.uint16)
    levels[0, 0] = brightest
    return Image.fromarray(levels)


LAB = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
BROWN = Image.new("RGB", (30, 20), (90, 60, 30))


@pytest.mark.parametrize(
    ("picture", "profile", "expected"),
    [
        # The photos of an iPhone: its numbers stand for stronger colours than those of sRGB.
        pytest.param(Image.new("RGB", (30, 20), (234, 51, 35)), display_p3(), (255, 0, 0), id="display-p3"),
        pytest.param(BROWN, b"no profile", (90, 60, 30), id="a-damaged-profile"),
        pytest.param(BROWN, LAB, (90, 60, 30), id="a-profile-of-another-kind"),
        *(
            pytest.param(grey((1 << bits) - 1), None, (128, 128, 128), id=f"grey-of-a-sensor-of-{bits}-bits")
            for bits in (16, 12, 8)
        ),
    ],
)
def test_colours_become_srgb(
    picture: Image.Image, profile: bytes | None, expected: tuple[int, int, int], tmp_path: Path
) -> None:
    picture.save(tmp_path / "photo.png", icc_profile=profile)
    _, result = prepared(tmp_path / "photo.png")
    assert result.getpixel((15, 10)) == pytest.approx(expected, abs=4)


def with_mask(folder: Path, mask: Image.Image, **options: Any) -> Image.Image:
    """The prepared mask of a photo of 800 x 600 px."""
    Image.new("RGB", (800, 600), "red").save(folder / "photo.jpg")
    mask.save(folder / "photo.mask.png", **options)
    (folder / "prepared").mkdir()
    original = Photo(folder / "photo.jpg", 800, 600, 1, folder / "photo.mask.png")
    (photo,) = photos.prepare([original], folder / "prepared", 200, threads=1, progress=QUIET)
    assert photo.mask
    with Image.open(folder / "prepared" / mask_of(photo.name)) as image:
        return image.copy()


def half(size: tuple[int, int], mode: str, opaque: object, hidden: object, *, upper: bool = False) -> Image.Image:
    """A mask that shows the left or the upper half."""
    mask = Image.new(mode, size, hidden)
    mask.paste(opaque, (0, 0, size[0], size[1] // 2) if upper else (0, 0, size[0] // 2, size[1]))
    return mask


@pytest.mark.parametrize(
    ("mask", "orientation", "levels"),
    [
        pytest.param(half((400, 300), "L", 200, 20), 1, (255, 0), id="black-and-white-at-the-size-of-the-photo"),
        pytest.param(half((300, 400), "L", 255, 0, upper=True), 6, (0, 255), id="turned-clockwise-by-exif"),
        pytest.param(half((400, 300), "RGBA", (9, 9, 9, 255), (0, 0, 0, 0)), 1, (255, 0), id="a-cut-out"),
    ],
)
def test_a_mask_hides_a_part_of_the_photo(
    mask: Image.Image, orientation: int, levels: tuple[int, int], tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    image = with_mask(tmp_path, mask, exif=exif)
    assert image.size == (200, 150)
    assert (image.getpixel((50, 75)), image.getpixel((150, 75))) == levels
    assert sorted(image.getcolors() or ()) == [(15_000, 0), (15_000, 255)]


def test_a_mask_of_another_shape_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(
        ModelFailure, match=r"photo.jpg cannot be read \(its mask photo.mask.png of 300 x 400 px"
    ) as error:
        with_mask(tmp_path, Image.new("L", (300, 400), 255))
    assert error.value.reason == "CORRUPT_IMAGE"


@pytest.mark.parametrize(("alpha", "masked"), [(0, True), (255, False)])
def test_a_transparent_background_is_a_mask(tmp_path: Path, alpha: int, masked: bool) -> None:  # of the table
    picture = Image.new("RGBA", (60, 40), (90, 60, 30, 255))
    picture.paste((90, 60, 30, alpha), (0, 0, 30, 40))
    picture.save(tmp_path / "photo.png")
    photo, image = prepared(tmp_path / "photo.png")
    assert (photo.mask is not None) is masked
    assert image.mode == "RGB"
    assert (tmp_path / "prepared" / mask_of(photo.name)).exists() is masked


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
    given = [Photo(tmp_path / f"{name}.png", 60, 60, 1) for name in "cab"]
    first, second, third = photos.prepare(given, folder, 1000, threads=2, progress=QUIET)
    assert first.camera == second.camera != third.camera
    assert [first.source, second.source, third.source] == ["a.png", "b.png", "c.png"]


def write_two(folder: Path) -> list[Photo]:
    """Write two photos of 60 x 40 px."""
    (folder / "prepared").mkdir()
    for name in "ab":
        Image.new("RGB", (60, 40)).save(folder / f"{name}.png")
    return [Photo(folder / f"{name}.png", 60, 40, 1) for name in "ab"]


def test_photos_are_decoded_at_the_same_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both, read = threading.Barrier(2, timeout=30), metadata.read

    def read_together(image: Image.Image) -> Metadata:
        both.wait()
        return read(image)

    monkeypatch.setattr(metadata, "read", read_together)
    prepared = photos.prepare(write_two(tmp_path), tmp_path / "prepared", 60, threads=2, progress=QUIET)
    assert [photo.source for photo in prepared] == ["a.png", "b.png"]


def test_only_as_many_photos_are_decoded_as_fit_into_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2)
    met = list[bool]()
    read = metadata.read

    def read_after_a_while(image: Image.Image) -> Metadata:
        try:
            both.wait(0.3)
        except threading.BrokenBarrierError:
            met.append(False)
        else:
            met.append(True)
        return read(image)

    monkeypatch.setattr(metadata, "read", read_after_a_while)
    monkeypatch.setattr(parallel, "available_bytes", lambda _root: 40_000)  # a photo of 60 x 40 px needs 33,600
    photos.prepare(write_two(tmp_path), tmp_path / "prepared", 60, threads=2, progress=QUIET)
    assert met == [False, False]
