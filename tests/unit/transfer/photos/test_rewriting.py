"""Plain photos: HEIC, CMYK and 16-bit photos become JPEGs that every model reads."""

from __future__ import annotations

import shutil
from pathlib import Path

import pillow_heif
import pytest
from PIL import ExifTags, Image, ImageOps
from reconstruction_operator.models.interface import Photo
from reconstruction_operator.models.photogrammetry.input import photos as engine
from reconstruction_operator.transfer.limits import Limits
from reconstruction_operator.transfer.photos import checks

from tests.support.paths import PHOTOS
from tests.support.photos import make_photo

RED, BLUE = (220, 30, 30), (30, 30, 220)
XMP_OF_TIFF = 700


def check(path: Path, limits: Limits) -> Photo:
    (checked,) = checks.check_all([path], limits, lambda *_: None)
    return checked


def near(pixel: object, expected: tuple[int, int, int]) -> bool:
    return isinstance(pixel, tuple) and all(
        abs(value - other) < 12 for value, other in zip(pixel, expected, strict=True)
    )


def sixteen_bit(values: list[int]) -> Image.Image:
    return Image.frombytes("I;16", (len(values), 1), b"".join(value.to_bytes(2, "little") for value in values))


@pytest.mark.parametrize(("name", "size"), [("plain.heic", (96, 64)), ("turned.heic", (64, 96))])
def test_heic_becomes_an_upright_jpeg(name: str, size: tuple[int, int], into: Path, limits: Limits) -> None:
    path = Path(shutil.copy(PHOTOS / "heic" / name, into))
    content = path.stat().st_size
    checked = check(path, limits)
    assert checked == Photo(path.with_suffix(".jpg"), *size, content)
    assert list(into.iterdir()) == [checked.path]
    with Image.open(checked.path) as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", size)
        assert near(image.getpixel((4, 4)), RED)
        assert near(image.getpixel((size[0] - 5, size[1] - 5)), BLUE)


def test_camera_and_lens_stay_with_a_heic(into: Path, limits: Limits) -> None:
    checked = check(Path(shutil.copy(PHOTOS / "heic" / "turned.heic", into)), limits)
    with Image.open(checked.path) as image:
        exif = image.getexif()
        assert (exif[ExifTags.Base.Make], exif[ExifTags.Base.Model]) == ("Apple", "iPhone")
        assert exif.get(ExifTags.Base.Orientation, 1) == 1
        assert exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FocalLengthIn35mmFilm] == 26
    (prepared,) = engine.prepare([Photo(checked.path, 64, 96, 1)], into, 96, threads=1, progress=lambda *_: None)
    assert prepared.focal_px == pytest.approx(96 * 26 / 36)
    assert prepared.camera.startswith("Apple|iPhone")


GIMBAL = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf drone-dji:GimbalPitchDegree="-89.90"/></x:xmpmeta>'


@pytest.mark.parametrize("kind", ["HEIF", "TIFF"])
def test_the_pitch_of_a_gimbal_stays_with_a_rewritten_photo(kind: str, into: Path, limits: Limits) -> None:
    path = into / ("a.heic" if kind == "HEIF" else "a.tif")
    if kind == "HEIF":
        pillow_heif.from_pillow(Image.new("RGB", (96, 64), RED)).save(path, xmp=GIMBAL)
    else:
        Image.new("CMYK", (96, 64)).save(path, kind, tiffinfo={XMP_OF_TIFF: GIMBAL})
    checked = check(path, limits)
    assert checked.path.name == "a.jpg"
    (prepared,) = engine.prepare([Photo(checked.path, 96, 64, 1)], into, 96, threads=1, progress=lambda *_: None)
    assert prepared.pitch_deg == -89.9


def test_xmp_that_does_not_fit_into_a_jpeg_is_left_out(into: Path, limits: Limits) -> None:
    path = into / "a.tif"
    Image.new("CMYK", (8, 8)).save(path, "TIFF", tiffinfo={XMP_OF_TIFF: GIMBAL + b" " * 70_000})
    with Image.open(check(path, limits).path) as image:
        assert "xmp" not in image.info


def test_two_photos_with_the_same_new_name_get_different_names(into: Path, limits: Limits) -> None:
    (into / "a.jpg").write_bytes(make_photo())
    shutil.copy(PHOTOS / "heic" / "plain.heic", into / "a.heic")
    checked = checks.check_all(sorted(into.iterdir()), limits, lambda *_: None)
    assert (
        sorted(photo.path.name for photo in checked)
        == sorted(path.name for path in into.iterdir())
        == ["a.heic.jpg", "a.jpg"]
    )


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_becomes_rgb_and_keeps_its_orientation(kind: str, into: Path, limits: Limits) -> None:
    path = into / ("a.jpg" if kind == "JPEG" else "a.tif")
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.new("RGB", (40, 20), RED).convert("CMYK").save(path, kind, exif=exif)
    checked = check(path, limits)
    assert (checked.path.name, checked.width, checked.height) == ("a.jpg", 20, 40)
    with Image.open(checked.path) as image:
        upright = ImageOps.exif_transpose(image)  # Pillow turns a TIFF itself
    assert (upright.mode, upright.size) == ("RGB", (20, 40))
    assert near(upright.getpixel((5, 5)), RED)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([0, 256, 32768, 65535], [0, 1, 128, 255], id="16 bits"),
        pytest.param([0, 1024, 2048, 4095], [0, 64, 128, 255], id="12 bits in 16"),
        pytest.param([0, 100, 255], [0, 100, 255], id="8 bits in 16"),
    ],
)
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_by_the_depth_of_its_sensor(
    values: list[int], expected: list[int], kind: str, *, into: Path, limits: Limits
) -> None:
    path = into / f"a.{kind.lower()}"
    wide = sixteen_bit([value for value in values for _ in range(16)])  # a JPEG keeps areas, not single pixels
    wide.resize((wide.width, 16), Image.Resampling.NEAREST).save(path, kind)
    checked = check(path, limits)
    with Image.open(checked.path) as image:
        assert image.mode == "L"
        pixels = [image.getpixel((16 * index + 8, 8)) for index in range(len(values))]
    assert all(abs(level - other) <= 3 for level, other in zip(pixels, expected, strict=True)), pixels


def test_ten_bit_heic_of_a_camera_is_read(into: Path, limits: Limits) -> None:
    checked = check(Path(shutil.copy(PHOTOS / "heic" / "ten_bit.hif", into)), limits)
    with Image.open(checked.path) as image:
        dark = image.getpixel((4, 4))
        bright = image.getpixel((60, 4))
    assert dark < 40
    assert bright > 220


def test_exif_that_does_not_fit_into_a_jpeg_is_left_out(into: Path, limits: Limits) -> None:
    path = into / "a.tif"
    Image.new("CMYK", (8, 8)).save(path, "TIFF", tiffinfo={ExifTags.Base.Make: "x" * 70_000})
    with Image.open(check(path, limits).path) as image:
        assert dict(image.getexif()) == {}
