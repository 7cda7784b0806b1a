"""Local photos: finds, opens and measures them. Each is read once, and scaled down."""

from __future__ import annotations

import functools
import importlib.util
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import BinaryIO, Final

from PIL import Image, ImageFilter, ImageStat, UnidentifiedImageError
from reconstruction_operator.planning.validation import ARCHIVE_SUFFIXES
from reconstruction_operator.transfer.names import HEIC_SUFFIXES, RAW_SUFFIXES, is_junk, is_video

from kubectl_recon.errors import UsageError

_FORMATS: Final = ("JPEG", "PNG", "WEBP", "TIFF", "HEIF")
_CELLS: Final = 512  # length of the longer side at which sharpness is measured
_EDGES: Final = ImageFilter.Kernel((3, 3), (0, 1, 0, 1, -4, 1, 0, 1, 0), scale=1, offset=128)
_PRINT_CELLS: Final = (9, 8)
_BLACK: Final = 6  # of 255: compression makes black uneven, and a dark background is brighter
_UNEVEN: Final = 0.02  # of the size, by which the bars may differ
_MAKE, _MODEL, _EXIF, _GPS, _FOCAL_LENGTH = 0x010F, 0x0110, 0x8769, 0x8825, 0x920A


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo. `problem`: why it cannot be used; such a photo is not measured."""

    path: Path
    name: str  # path below the submitted folder, with slashes
    bytes: int
    problem: str = ""
    kind: str = ""  # JPEG, PNG, …
    width: int = 0  # pixels
    height: int = 0
    camera: str = ""
    focal_length: float = 0.0  # millimetres; 0: unknown
    has_position: bool = False  # has a GPS position
    sharpness: float = 0.0  # variance of the edges; compares photos of one set
    fingerprint: int = 0  # 64 bits; similar photos differ in few of them
    bars: float = 0.0  # width of the black bars at two opposite edges, as a share of the height or width

    @property
    def megapixels(self) -> float:
        """The number of pixels."""
        return self.width * self.height / 1e6


def find(paths: Sequence[str]) -> list[tuple[Path, str]]:
    """Return the given files and all files below the given folders, with their names for the upload.

    Raises UsageError.
    """
    files: dict[str, Path] = {}
    for text in paths:
        path = Path(text).expanduser()
        if not path.exists():
            raise UsageError(f"there is no file or folder {text}")
        below = sorted(_files(path)) if path.is_dir() else [path]
        for file in below:
            name = file.relative_to(path).as_posix() if path.is_dir() else file.name
            if name in files and files[name].resolve() != file.resolve():
                raise UsageError(
                    f"{files[name]} and {file} would have the same name: submit one folder that contains both"
                )
            files[name] = file
    return [(path, name) for name, path in sorted(files.items())]


def scan(files: Sequence[tuple[Path, str]], progress: Callable[[], None] = lambda: None) -> list[Photo]:
    """Measure the files in several threads. `progress` is called after each."""

    def measured(file: tuple[Path, str]) -> Photo:
        photo = measure(*file)
        progress()
        return photo

    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(measured, files))


def measure(path: Path, name: str, file: BinaryIO | None = None) -> Photo:
    """Measure one photo, by its open `file` if there is one."""
    if not path.is_file():
        return Photo(path, name, 0, "a link to a folder or to a missing file")
    size = path.stat().st_size
    suffix = PurePath(name).suffix.lower()
    if is_video(name) or (suffix in HEIC_SUFFIXES and not opens_heic()):
        return Photo(path, name, size, kind="video" if is_video(name) else "HEIC")
    if name.lower().endswith(ARCHIVE_SUFFIXES):
        return Photo(path, name, size, "an archive: unpack it, and name its folder", "archive")
    if suffix in RAW_SUFFIXES:
        return Photo(path, name, size, "a raw file of a camera: export it as JPEG", "RAW")
    try:
        with Image.open(file or path, formats=_FORMATS if opens_heic() else _FORMATS[:-1]) as image:
            width, height = image.size
            kind = "JPEG" if image.format == "MPO" else image.format or ""  # with a preview after it, from many cameras
            exif = image.getexif()
            camera = " ".join(filter(None, (str(exif.get(tag) or "").strip("\0 ") for tag in (_MAKE, _MODEL))))
            focal = _number(exif.get_ifd(_EXIF).get(_FOCAL_LENGTH))
            position = bool(exif.get_ifd(_GPS))
            image.draft("L", (_CELLS, _CELLS))  # a JPEG is decoded at a fraction of its size
            grey = image.convert("L")
            grey.thumbnail((_CELLS, _CELLS))
            sharpness = float(ImageStat.Stat(grey.filter(_EDGES)).var[0])
            marks = (sharpness, _print(grey), _bars(grey))
            return Photo(path, name, size, "", kind, width, height, camera, focal, position, *marks)
    except UnidentifiedImageError:
        return Photo(path, name, size, "not a photo in a format that the workers read (JPEG, PNG, WebP, TIFF, HEIC)")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return Photo(path, name, size, f"cannot be read: {error}")


@functools.cache
def opens_heic() -> bool:
    """Return whether the extra `heic` is installed, and register it with Pillow."""
    if importlib.util.find_spec("pillow_heif") is None:
        return False
    import pillow_heif  # noqa: PLC0415  # an optional extra

    pillow_heif.register_heif_opener()
    return True


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files and links below a folder, except hidden ones and those of operating systems."""
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        hidden = is_junk(name.as_posix()) or any(part.startswith(".") for part in name.parts)
        if (path.is_file() or path.is_symlink()) and not hidden and path.name not in ("Thumbs.db", "desktop.ini"):
            yield path


def _number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]  # a rational number of Pillow, or None
    except (TypeError, ValueError, ZeroDivisionError):
        return 0.0


def _bars(grey: Image.Image) -> float:
    """Return the width of black bars of the same width at two opposite edges, as a share of the height or width; 0
    without any.
    """
    left, top, right, bottom = grey.point([0] * _BLACK + [255] * (256 - _BLACK)).getbbox() or (0, 0, *grey.size)
    widths = []
    for first, last, size in ((left, grey.width - right, grey.width), (top, grey.height - bottom, grey.height)):
        widths.append(min(first, last) / size if abs(first - last) <= _UNEVEN * size else 0.0)
    return max(widths)


def _print(grey: Image.Image) -> int:
    """Return a fingerprint: for each of 64 places, whether it is brighter than the place on its right."""
    small = grey.resize(_PRINT_CELLS, Image.Resampling.BILINEAR)
    pixels = small.tobytes()
    width, height = _PRINT_CELLS
    bits = (pixels[y * width + x] > pixels[y * width + x + 1] for y in range(height) for x in range(width - 1))
    return sum(1 << place for place, bit in enumerate(bits) if bit)


def total_bytes(photos: Iterable[Photo]) -> int:
    """Return the total size of the photos."""
    return sum(photo.bytes for photo in photos)
