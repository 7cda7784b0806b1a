"""sRGB conversion: photos of any profile and depth become sRGB with 8 bits a channel.

Many phones use Display P3, whose values would look pale if they were read as sRGB.
"""

from __future__ import annotations

import contextlib
import io
from typing import cast

from PIL import Image, ImageCms

_SRGB = ImageCms.createProfile("sRGB")
_GREY_DEPTHS = (8, 10, 12, 14, 16)  # bit depths of sensors; a 16-bit file can contain any of them


def converted(image: Image.Image) -> Image.Image:
    """Return the photo (8 bits a channel) in sRGB, converted by its profile."""
    plain, profile = image.convert("RGB") if image.mode == "RGBA" else image, image.info.get("icc_profile")
    if profile:
        # A damaged profile, or one that does not match the photo's channels, is ignored.
        with contextlib.suppress(ImageCms.PyCMSError):
            rgb = ImageCms.profileToProfile(plain, io.BytesIO(profile), _SRGB, outputMode="RGB")
            return cast("Image.Image", rgb)
    return plain.convert("RGB")


def eight_bit(image: Image.Image) -> Image.Image:
    """Return the photo as grey, RGB, RGBA or CMYK with 8 bits a channel.

    16-bit grey is scaled from the bit depth that its brightest pixel needs: usually the sensor's.
    """
    if image.mode == "I" or image.mode.startswith("I;16"):
        whole = image.convert("I")
        _, brightest = cast("tuple[int, int]", whole.getextrema())
        depth = next((bits for bits in _GREY_DEPTHS if brightest < 1 << bits), _GREY_DEPTHS[-1])
        return whole.point(lambda value: value * (1 / (1 << (depth - 8)))).convert("L")
    if image.mode in ("LA", "PA") or "transparency" in image.info:
        return image.convert("RGBA")
    return image if image.mode in ("L", "RGB", "RGBA", "CMYK") else image.convert("RGB")
