"""Photo metadata: camera, focal length, GPS position and gimbal pitch, from EXIF and XMP."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from PIL import ExifTags, Image

_FULL_FRAME_WIDTH_MM = 36.0
_MM_PER_RESOLUTION_UNIT = {2: 25.4, 3: 10.0, 4: 1.0}  # EXIF FocalPlaneResolutionUnit: inch, cm, mm
_PLAUSIBLE_FOCAL = (0.3, 20.0)  # range, as a multiple of the longer side; other values in EXIF are wrong
_XMP_KEYS = ("xmp", "XML:com.adobe.xmp")  # keys in Pillow's `info`: of JPEG, TIFF and WebP; of PNG
_PITCH = re.compile(  # an attribute or element of DJI and Autel (`GimbalPitchDegree`) or Parrot (`CameraPitchDegree`)
    rb"""(?:Gimbal|Camera)PitchDegree\s*(?:=\s*["']|>)\s*([+-]?\d{1,3}(?:\.\d{1,9})?)\s*["'<]"""
)
_MAX_XMP_BYTES = 1 << 20
_STEEPEST_PITCH_DEG = 90.0

Place = tuple[float, float, float]
"""Latitude and longitude in degrees (WGS 84), altitude in metres."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """The metadata of a photo; None: missing or implausible."""

    camera: str  # maker and model; unknown parts are empty
    relative_focal: float | None  # focal length as a multiple of the longer side
    place: Place | None
    pitch_deg: float | None  # of the gimbal; 0: level, -90: straight down


def read(image: Image.Image) -> Metadata:
    """Return the metadata of an opened photo, which need not be loaded.

    Raises OSError, ValueError or SyntaxError, as Pillow.
    """
    try:
        exif = image.getexif()
        lens = dict(exif.get_ifd(ExifTags.IFD.Exif))
        gps = dict(exif.get_ifd(ExifTags.IFD.GPSInfo))
    except struct.error as error:
        raise ValueError(f"the EXIF data are cut off: {error}") from None
    return Metadata(
        camera=f"{exif.get(ExifTags.Base.Make, '')}|{exif.get(ExifTags.Base.Model, '')}",
        relative_focal=relative_focal_length(lens, max(image.size)),
        place=place(gps),
        pitch_deg=gimbal_pitch(next((image.info[key] for key in _XMP_KEYS if key in image.info), b"")),
    )


def relative_focal_length(lens: Mapping[int, object], long_side_px: int) -> float | None:
    """Return the focal length as a multiple of the photo's longer side, from the EXIF tags in `lens`, or None.

    It comes from the 35 mm equivalent (film 36 mm wide), or from the focal length and the sensor's resolution.
    """
    equivalent = _positive(lens.get(ExifTags.Base.FocalLengthIn35mmFilm))
    if equivalent:
        return _plausible(equivalent / _FULL_FRAME_WIDTH_MM)
    focal_mm = _positive(lens.get(ExifTags.Base.FocalLength))
    resolution = _positive(lens.get(ExifTags.Base.FocalPlaneXResolution))
    unit = _positive(lens.get(ExifTags.Base.FocalPlaneResolutionUnit))
    unit_mm = _MM_PER_RESOLUTION_UNIT.get(int(unit)) if unit else None
    if focal_mm and resolution and unit_mm:
        return _plausible(focal_mm / (long_side_px * unit_mm / resolution))
    return None


def place(gps: Mapping[int, object]) -> Place | None:
    """Return the place in the EXIF tags `gps`; None without an altitude, or for 0, 0, which cameras write without a
    fix.
    """
    latitude = _degrees(gps.get(ExifTags.GPS.GPSLatitude), gps.get(ExifTags.GPS.GPSLatitudeRef), "NS", 90.0)
    longitude = _degrees(gps.get(ExifTags.GPS.GPSLongitude), gps.get(ExifTags.GPS.GPSLongitudeRef), "EW", 180.0)
    altitude = _number(gps.get(ExifTags.GPS.GPSAltitude))
    if latitude is None or longitude is None or altitude is None or latitude == longitude == 0.0:
        return None
    below = gps.get(ExifTags.GPS.GPSAltitudeRef) in (1, b"\x01")
    return latitude, longitude, -altitude if below else altitude


def gimbal_pitch(xmp: bytes | str) -> float | None:
    """Return the gimbal's pitch in degrees in the XMP packet of a drone."""
    text = xmp.encode(errors="replace") if isinstance(xmp, str) else xmp
    match = _PITCH.search(text[:_MAX_XMP_BYTES])
    pitch = float(match[1]) if match else None
    return pitch if pitch is not None and abs(pitch) <= _STEEPEST_PITCH_DEG else None


def _degrees(parts: object, half: object, halves: str, most: float) -> float | None:
    """Return degrees, minutes and seconds as degrees; negative in the second of the `halves` of the Earth."""
    if not isinstance(parts, tuple | list) or half not in tuple(halves):
        return None
    numbers = [_number(part) for part in parts]
    if len(numbers) != 3 or None in numbers:  # noqa: PLR2004  # degrees, minutes, seconds
        return None
    total = sum(number / 60**power for power, number in enumerate(numbers) if number is not None)
    return None if not 0.0 <= total <= most else -total if half == halves[1] else total


def _plausible(relative: float) -> float | None:
    lowest, highest = _PLAUSIBLE_FOCAL
    return relative if lowest <= relative <= highest else None


def _positive(value: object) -> float | None:
    number = _number(value)
    return number if number is not None and number > 0.0 else None


def _number(value: object) -> float | None:
    """Return an EXIF value as a finite number; None if it is not one, as a rational with denominator 0."""
    try:
        number = float(value)  # type: ignore[arg-type]  # a value that is not a number raises
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if abs(number) < float("inf") else None
