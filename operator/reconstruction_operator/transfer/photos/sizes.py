"""Sizes: what a photo or a video may have at most, and the memory that its decoder needs."""

from __future__ import annotations

from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits
from reconstruction_operator.units import megabytes

TOO_LARGE = "IMAGE_TOO_LARGE"
OPENCV_BYTES = 512 << 20  # of memory for the libraries that decode a video
DECODER_BYTES = 24  # of memory for each pixel, in all copies that decoding and rewriting make


def check_rewritten(left_bytes: int, label: str, limits: Limits) -> None:
    """Raise StorageError (INPUT_REFUSED) if rewritten photos and frames of videos, up to that of `label`, exceed the
    limit of an input.
    """
    if left_bytes < 0:
        most = megabytes(limits.max_bytes)
        text = f"{label}: frames of videos, and photos that models read only as JPEGs, have more than {most} as such"
        raise StorageError("INPUT_REFUSED", text)


def check_size(width: int, height: int, label: str, limits: Limits) -> None:
    """Raise StorageError (IMAGETOO_LARGE) for a picture of more px than the limits allow."""
    if max(width, height) > limits.max_side:
        text = f"{label} has {width} x {height} px; at most {limits.max_side} px a side are accepted"
        raise StorageError(TOO_LARGE, text)
    if width * height > limits.max_pixels:
        had, allowed = width * height / 1e6, limits.max_pixels / 1e6
        raise StorageError(TOO_LARGE, f"{label} has {had:.0f} megapixels; at most {allowed:.0f} are accepted")
