"""Photo checks: a photo that is broken, too large or of another format is named."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image, JpegImagePlugin
from reconstruction_operator.contract.photos import Photo
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits
from reconstruction_operator.transfer.photos import checks

from tests.support.paths import PHOTOS
from tests.support.photos import make_photo, saved


def check(folder: Path, limits: Limits) -> tuple[Photo, ...]:
    return checks.check_all(sorted(folder.iterdir()), limits, lambda *_: None)


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [(1, (64, 48)), (3, (64, 48)), (5, (48, 64)), (6, (48, 64)), (7, (48, 64)), (8, (48, 64)), (99, (64, 48))],
)
def test_sizes_are_those_after_exif_orientation(
    orientation: int, expected: tuple[int, int], into: Path, limits: Limits
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    (into / "a.jpg").write_bytes(make_photo(exif=exif.tobytes()))
    (checked,) = check(into, limits)
    assert (checked.width, checked.height) == expected


def test_jpeg_with_more_pictures_behind_it_is_accepted(into: Path, limits: Limits) -> None:
    first, second = (Image.open(io.BytesIO(make_photo())) for _ in range(2))
    first.save(into / "a.jpg", "MPO", save_all=True, append_images=[second])
    assert [photo.path.name for photo in check(into, limits)] == ["a.jpg"]


@pytest.mark.parametrize(
    ("kind", "name"), [("JPEG", "a.JPEG"), ("PNG", "a.png"), ("WEBP", "a.webp"), ("TIFF", "a.tiff")]
)
def test_polyglot_is_only_the_photo_that_it_begins_with(kind: str, name: str, into: Path, limits: Limits) -> None:
    content = make_photo(kind) + b"PK\x03\x04 an archive <script>of sorts</script>"
    (into / name).write_bytes(content)
    assert check(into, limits) == (Photo(into / name, 64, 48, len(content)),)
    assert [(path.name, path.read_bytes()) for path in into.iterdir()] == [(name, content)]  # as it came


def test_a_jpeg_is_decoded_to_an_eighth_of_its_size(
    into: Path, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    (into / "a.jpg").write_bytes(make_photo(size=(64, 48)))
    sizes = set[tuple[int, int]]()
    load = JpegImagePlugin.JpegImageFile.load

    def load_and_tell(image: JpegImagePlugin.JpegImageFile) -> object:
        sizes.add(image.size)
        return load(image)

    monkeypatch.setattr(JpegImagePlugin.JpegImageFile, "load", load_and_tell)
    (checked,) = check(into, limits)
    assert (sizes, checked.width, checked.height) == ({(8, 6)}, 64, 48)


def test_photo_with_a_wrong_suffix_is_renamed(into: Path, limits: Limits) -> None:
    (into / "a.jpg").write_bytes(make_photo("PNG"))
    (into / "a.png").write_bytes(make_photo("PNG"))
    assert [photo.path.name for photo in check(into, limits)] == ["a.jpg.png", "a.png"]
    assert sorted(path.name for path in into.iterdir()) == ["a.jpg.png", "a.png"]


def png_of_size(width: int, height: int) -> bytes:
    """A PNG whose header announces that size, with hardly any data."""
    parts = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(b"\0" * 100)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in (*parts, (b"IEND", b""))
    )


HEIC = (PHOTOS / "heic" / "plain.heic").read_bytes()
TURNED = (PHOTOS / "heic" / "turned.heic").read_bytes()
FLOATS = saved(Image.new("F", (8, 8)), "TIFF")
PACKED = saved(Image.effect_noise((200, 100), 80), "TIFF", compression="tiff_lzw")
JPEG, PNG, TIFF, WEBP = (make_photo(kind) for kind in ("JPEG", "PNG", "TIFF", "WEBP"))
FLIPPED = PNG[: len(PNG) // 2] + bytes([PNG[len(PNG) // 2] ^ 0xFF]) + PNG[len(PNG) // 2 + 1 :]
BAD_PHOTOS = {
    "half a JPEG": (JPEG[: len(JPEG) // 2], "CORRUPT_IMAGE", "is truncated"),
    "half a PNG": (PNG[: len(PNG) // 2], "CORRUPT_IMAGE", "truncated"),
    "half a TIFF": (TIFF[: len(TIFF) // 2], "CORRUPT_IMAGE", "photo bad.jpg"),
    "half a WebP": (WEBP[: len(WEBP) // 2], "CORRUPT_IMAGE", "photo bad.jpg"),
    "a PNG with a flipped bit": (FLIPPED, "CORRUPT_IMAGE", "cannot be decoded"),
    "the start of a JPEG alone": (JPEG[:20], "CORRUPT_IMAGE", "photo bad.jpg"),
    "an empty file": (b"", "CORRUPT_IMAGE", "an empty file"),
    "text": (b"not a photo at all", "CORRUPT_IMAGE", "not a JPEG, PNG, WebP, TIFF or HEIC picture"),
    "an error page of a web server": (b"<!DOCTYPE html><html>404", "CORRUPT_IMAGE", "a web page"),
    "the start of a HEIC": (HEIC[:60], "CORRUPT_IMAGE", "photo bad.jpg"),
    "half a HEIC": (HEIC[: len(HEIC) // 2], "CORRUPT_IMAGE", "photo bad.jpg"),
    "a HEIC without any photo": (b"\0\0\0\x18ftypheic" + b"\0" * 50, "CORRUPT_IMAGE", "a damaged HEIC file"),
    "an AVIF": (b"\0\0\0\x18ftypavif" + b"\0" * 50, "UNSUPPORTED_FORMAT", "an AVIF picture, not a JPEG"),
    "a video": (b"\0\0\0\x18ftypqt  " + b"\0" * 50, "UNSUPPORTED_FORMAT", "a video"),
    "a RAW file of Canon": (b"\0\0\0\x18ftypcrx " + b"\0" * 50, "UNSUPPORTED_FORMAT", "a camera RAW file"),
    "a RAW file of Fuji": (b"FUJIFILMCCD-RAW 0201", "UNSUPPORTED_FORMAT", "a camera RAW file"),
    "a DNG": (make_photo("TIFF", tiffinfo={0xC612: b"\1\4\0\0"}), "UNSUPPORTED_FORMAT", "a camera RAW file"),
    "a TIFF that begins with a preview": (
        make_photo("TIFF", tiffinfo={0xFE: 1}),
        "UNSUPPORTED_FORMAT",
        "only a preview",
    ),
    "floating-point pixels": (FLOATS, "UNSUPPORTED_FORMAT", "contains floating-point numbers, not 8 or 16 bits"),
    "a GIF": (make_photo("GIF"), "UNSUPPORTED_FORMAT", "not a JPEG, PNG, WebP, TIFF or HEIC picture"),
    "an EPS, which Pillow gives to Ghostscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n", "CORRUPT_IMAGE", "another kind"),
    "random bytes behind a JPEG's magic": (b"\xff\xd8\xff\xe0" + bytes(range(256)), "CORRUPT_IMAGE", "bad.jpg"),
    "too many pixels": (make_photo(size=(300, 300)), "IMAGE_TOO_LARGE", "0 megapixels; at most 0"),
    "too long a side": (make_photo(size=(401, 2)), "IMAGE_TOO_LARGE", "401 x 2 px; at most 400"),
    "a decompression bomb": (png_of_size(60_000, 60_000), "IMAGE_TOO_LARGE", "60000 x 60000 px"),
    "an archive before a JPEG": (b"PK\x03\x04" + JPEG, "CORRUPT_IMAGE", "not a JPEG, PNG, WebP, TIFF or HEIC picture"),
    "a PNG that lacks most of its rows": (png_of_size(150, 150), "CORRUPT_IMAGE", "bad.jpg"),
}


@pytest.mark.parametrize("case", BAD_PHOTOS)
def test_bad_photo_is_named_with_its_index_and_fault(case: str, into: Path, limits: Limits) -> None:
    content, reason, text = BAD_PHOTOS[case]
    for name, photo in (("a.jpg", JPEG), ("bad.jpg", content), ("c.jpg", JPEG)):
        (into / name).write_bytes(photo)
    with pytest.raises(StorageError) as caught:
        check(into, limits)
    assert caught.value.reason == reason
    assert "photo bad.jpg (2 of 3)" in caught.value.message
    assert text in caught.value.message


def test_tick_comes_before_each_photo(into: Path, limits: Limits) -> None:
    for name in ("a.jpg", "b.jpg"):
        (into / name).write_bytes(make_photo())
    heard: list[tuple[float, str]] = []
    checks.check_all(sorted(into.iterdir()), limits, lambda fraction, text: heard.append((fraction, text)))
    assert heard == [(0.0, "photo 1/2"), (0.5, "photo 2/2")]


@pytest.mark.parametrize(
    "case", sorted(BAD_PHOTOS.keys() - {"a PNG with a flipped bit", "a PNG that lacks most of its rows"})
)
def test_check_of_the_header_finds_what_decoding_would_find(case: str, into: Path, limits: Limits) -> None:
    content, reason, text = BAD_PHOTOS[case]
    with pytest.raises(StorageError) as caught:
        checks.check_header(io.BytesIO(content), "photo bad.jpg", limits)
    assert caught.value.reason == reason
    assert text in caught.value.message


@pytest.mark.parametrize(
    "content",
    [JPEG, PNG, TIFF, PACKED, WEBP, HEIC, TURNED],
    ids=["JPEG", "PNG", "TIFF", "TIFF, packed", "WebP", "HEIC", "tiles"],
)
def test_check_of_the_header_decodes_no_whole_photo(
    content: bytes, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("it was decoded"))
    checks.check_header(io.BytesIO(content), "photo a", limits)


def test_check_of_the_header_accepts_a_jpeg_that_is_padded_behind_its_end(limits: Limits) -> None:
    checks.check_header(io.BytesIO(JPEG + b"\0" * 100_000), "photo a", limits)
