"""Photo rewriting: rewrites a photo that some models cannot read (HEIC, CMYK, 16-bit grey) as a JPEG with 8 bits a
channel.

It keeps the EXIF data that a reconstruction needs (camera, lens, orientation, place and time), and the XMP packet, in
which drones store the angles of the gimbal.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from PIL import Image

_FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "TIFF")
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX")  # Pillow's names for up to 8 bits a channel
_GREY_DEPTHS = (8, 10, 12, 14, 16)  # bit depths of sensors; a 16-bit file can contain any of them
_QUALITY = 95
_KEPT_TAGS = (0x010F, 0x0110, 0x0112, 0x0132)  # EXIF: maker, model, orientation, time
_LENS_IFD, _PLACE_IFD = 0x8769, 0x8825
_DROPPED_TAGS = (0x927C, 0x9286, 0xA005)  # maker note and comment, of any size; interoperability, an offset
_XMP_KEYS = ("xmp", "XML:com.adobe.xmp")  # keys in Pillow's `info`: of HEIC, JPEG and TIFF; of PNG
_MAX_SEGMENT_BYTES = 65_000  # of a JPEG

SUFFIX = ".jpg"


class UnusualPixelsError(Exception):
    """The photo has pixels that cannot be rewritten. The text names their kind."""


def is_plain(image: Image.Image) -> bool:
    """Return whether every model can read the photo as it is."""
    return image.format in _FORMATS and image.mode in _MODES


def check_pixels(image: Image.Image) -> None:
    """Raise UnusualPixelsError for pixels that `write` would refuse, as far as that shows without decoding."""
    if image.mode not in (*_MODES, "CMYK", "YCbCr", "I") and not image.mode.startswith("I;16"):
        raise UnusualPixelsError(
            {"F": "floating-point numbers", "LAB": "the colour space LAB"}.get(image.mode, image.mode)
        )


def write(image: Image.Image, target: Path) -> None:
    """Write the loaded photo to the new file `target` as a JPEG. Raises UnusualPixelsError."""
    options: dict[str, object] = {}
    exif = _exif(image)
    if len(exif) <= _MAX_SEGMENT_BYTES:
        options["exif"] = exif
    if 0 < len(xmp := _xmp(image)) <= _MAX_SEGMENT_BYTES:
        options["xmp"] = xmp
    if image.mode != "CMYK" and image.info.get("icc_profile"):  # a CMYK profile does not fit the RGB result
        options["icc_profile"] = image.info["icc_profile"]
    with target.open("xb") as file:
        _eight_bit(image).save(file, "JPEG", quality=_QUALITY, subsampling=0, **options)


def _eight_bit(image: Image.Image) -> Image.Image:
    check_pixels(image)
    if image.mode in ("RGB", "L"):
        return image
    if image.mode == "I" or image.mode.startswith("I;16"):
        return _grey(image)
    return image.convert("RGB")


def _grey(image: Image.Image) -> Image.Image:
    """Return the photo with 8 bits, scaled from the bit depth that its brightest pixel needs: usually the sensor's."""
    whole = image.convert("I")
    _, brightest = cast("tuple[int, int]", whole.getextrema())
    depth = next((bits for bits in _GREY_DEPTHS if brightest < 1 << bits), None)
    if depth is None:
        raise UnusualPixelsError("whole numbers of more than 16 bits")
    return whole.point(lambda value: value * (1 / (1 << (depth - 8)))).convert("L")


def _exif(image: Image.Image) -> bytes:
    from PIL import Image  # noqa: PLC0415  # a worker for the placeholder alone has no Pillow

    exif = image.getexif()
    kept = Image.Exif()
    for tag in _KEPT_TAGS:
        if tag in exif:
            kept[tag] = exif[tag]
    for ifd in (_LENS_IFD, _PLACE_IFD):
        values = {tag: value for tag, value in exif.get_ifd(ifd).items() if tag not in _DROPPED_TAGS}
        if values:
            kept[ifd] = values
    return kept.tobytes()


def _xmp(image: Image.Image) -> bytes:
    packet = next((image.info[key] for key in _XMP_KEYS if key in image.info), b"")
    return packet.encode() if isinstance(packet, str) else packet
