"""Photo metadata: EXIF and XMP of cameras, phones and drones, and malformed values."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational
from reconstruction_operator.models.photogrammetry.input import metadata

LENS, GPS = ExifTags.Base, ExifTags.GPS
BERLIN = {
    GPS.GPSLatitudeRef: "N",
    GPS.GPSLatitude: (52.0, 30.0, 58.68),
    GPS.GPSLongitudeRef: "E",
    GPS.GPSLongitude: (13.0, 22.0, 39.72),
    GPS.GPSAltitudeRef: b"\x00",
    GPS.GPSAltitude: 71.5,
}
DJI = (
    b'<x:xmpmeta><rdf:Description drone-dji:GimbalPitchDegree="-89.90" drone-dji:GimbalYawDegree="+12.30"/></x:xmpmeta>'
)
PARROT = b"<drone-parrot:CameraPitchDegree>-62.5</drone-parrot:CameraPitchDegree>"


@pytest.mark.parametrize(
    ("lens", "expected"),
    [
        pytest.param({LENS.FocalLengthIn35mmFilm: 36}, 1.0, id="35-mm-equivalent"),
        pytest.param(
            {LENS.FocalLength: 50.0, LENS.FocalPlaneXResolution: 1000.0, LENS.FocalPlaneResolutionUnit: 3},
            50.0 / 40.0,
            id="sensor-resolution-in-pixels-per-cm",
        ),
        pytest.param({LENS.FocalLength: 50.0}, None, id="focal-length-alone-is-not-enough"),
        pytest.param({LENS.FocalLengthIn35mmFilm: 0}, None, id="zero-means-unknown"),
        pytest.param({LENS.FocalLengthIn35mmFilm: IFDRational(1, 0)}, None, id="a-denominator-of-zero"),
        pytest.param({LENS.FocalLengthIn35mmFilm: "wide"}, None, id="text"),
        pytest.param({LENS.FocalLengthIn35mmFilm: 9000}, None, id="implausible"),
        pytest.param({}, None, id="nothing"),
    ],
)
def test_the_focal_length_comes_from_exif(lens: dict[int, object], expected: float | None) -> None:
    assert metadata.relative_focal_length(lens, 4000) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, (52.5163, 13.3777, 71.5), id="north-and-east"),
        pytest.param(
            {GPS.GPSLatitudeRef: "S", GPS.GPSLongitudeRef: "W"}, (-52.5163, -13.3777, 71.5), id="south-and-west"
        ),
        pytest.param({GPS.GPSAltitudeRef: b"\x01"}, (52.5163, 13.3777, -71.5), id="below-the-sea"),
        pytest.param({GPS.GPSAltitude: Fraction(3, 2)}, (52.5163, 13.3777, 1.5), id="a-rational"),
        pytest.param({GPS.GPSAltitude: None}, None, id="without-an-altitude"),
        pytest.param({GPS.GPSLatitudeRef: None}, None, id="of-no-hemisphere"),
        pytest.param({GPS.GPSLatitude: (0.0,) * 3, GPS.GPSLongitude: (0.0,) * 3}, None, id="0-0-without-a-fix"),
        pytest.param({GPS.GPSLatitude: (98.0, 0.0, 0.0)}, None, id="beyond-the-pole"),
        pytest.param({GPS.GPSLongitude: (IFDRational(1, 0), 0.0, 0.0)}, None, id="a-denominator-of-zero"),
        pytest.param({GPS.GPSLongitude: "13 E"}, None, id="text"),
        pytest.param({GPS.GPSLongitude: (13.0, 22.0)}, None, id="without-seconds"),
    ],
)
def test_the_place_comes_from_exif(changes: dict[int, object], expected: tuple[float, float, float] | None) -> None:
    place = metadata.place(BERLIN | changes)
    assert place == (expected and pytest.approx(expected))


@pytest.mark.parametrize(
    ("xmp", "expected"),
    [
        pytest.param(DJI, -89.9, id="dji"),
        pytest.param(PARROT, -62.5, id="parrot-as-an-element"),
        pytest.param(DJI.decode(), -89.9, id="as-text"),
        pytest.param(DJI.replace(b"-89.90", b"-190.0"), None, id="impossible"),
        pytest.param(DJI.replace(b"-89.90", b"down"), None, id="not-a-number"),
        pytest.param(b"", None, id="nothing"),
    ],
)
def test_the_pitch_of_a_gimbal_comes_from_xmp(xmp: bytes | str, expected: float | None) -> None:
    assert metadata.gimbal_pitch(xmp) == expected


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_the_metadata_of_a_file_is_read(suffix: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[LENS.Make], exif[LENS.Model] = "DJI", "FC330"
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(BERLIN)
    path = tmp_path / f"photo.{suffix}"
    Image.new("RGB", (64, 48)).save(path, exif=exif, **({} if suffix == "png" else {"xmp": DJI}))
    with Image.open(path) as image:
        read = metadata.read(image)
    assert read.camera == "DJI|FC330"
    assert read.place == pytest.approx((52.5163, 13.3777, 71.5))
    assert read.pitch_deg == (None if suffix == "png" else -89.9)
