"""Makes the HEIC files in this folder: `python tests/data/photos/heic/make.py` (pillow-heif has an encoder).

`overlays.heic` is no result of it: three levels of overlays, each of five references to the level below, and below them
one picture of 2048 x 2048 px, which a decoder decodes 125 times.

The picture is 96 x 64 px as the sensor saw it: red on the left, blue on the right, so that its turns can be seen.
"""

from __future__ import annotations

from pathlib import Path

import pillow_heif
from PIL import Image

HERE = Path(__file__).parent


def main() -> None:
    """Write the files."""
    pillow_heif.register_heif_opener()
    picture = Image.new("RGB", (96, 64), (220, 30, 30))
    picture.paste((30, 30, 220), (48, 0, 96, 64))
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Apple", "iPhone"
    exif[0x8769] = {0x920A: 5.7, 0xA405: 26, 0x927C: b"a maker note"}  # focal length, the same of 35 mm film
    picture.save(HERE / "plain.heic", exif=exif.tobytes())
    exif[0x0112] = 6  # turned by 90 degrees clockwise to be upright
    picture.save(HERE / "turned.heic", exif=exif.tobytes(), tile_size=32, thumbnails=[32])  # in tiles, as telephones do
    grey = Image.frombytes(
        "I;16", (64, 64), b"".join((x * 1023).to_bytes(2, "little") for _ in range(64) for x in range(64))
    )
    grey.save(HERE / "ten_bit.hif")


if __name__ == "__main__":
    main()
