"""Small picture of a job's first photo: from a folder that the gallery mounts as the workers do, or from what a run of
the job has loaded on the jobs volume, wherever it came from.

The settings of workers decide what a job may read: INPUT_ROOTS and NAMESPACE_INPUTS. Photos are hostile: a process
without secrets decodes them, as in `checking`. Pictures are kept in memory for some minutes.
"""

from __future__ import annotations

import asyncio
import base64
import io
import os
import resource
from collections.abc import Sequence
from typing import Any, BinaryIO, Final

from PIL import Image, ImageOps
from reconstruction_operator.transfer import local, uris
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits
from reconstruction_operator.transfer.names import is_video
from reconstruction_operator.transfer.objects.concurrency import Progress
from reconstruction_operator.transfer.photos.masks import is_mask
from reconstruction_operator.transfer.programs import Program, serve
from reconstruction_operator.transfer.unpacker import limit

from reconstruction_gallery.files import volume
from reconstruction_gallery.response_cache import ResponseCache

_SIDES: Final = (320, 240)  # px
_QUALITY: Final = 80  # of the JPEG
_FORMATS: Final = ("JPEG", "PNG", "WEBP", "TIFF")
_TRIED: Final = 3  # photos, of which the first that can be decoded is shown
_SECONDS: Final = 20
_MEMORY_BYTES: Final = 256 << 20  # address space: enough for the largest photos of cameras
_KEEP_SECONDS: Final = 600.0
_KEPT_BYTES: Final = 32 << 20
_AT_ONCE: Final = 2
_NICENESS: Final = 10  # users wait for other answers of the gallery


class Pictures:
    """Makes pictures, a few at a time."""

    def __init__(self) -> None:
        self._made: ResponseCache[tuple[str, ...], bytes] = ResponseCache(
            _KEEP_SECONDS, _KEPT_BYTES, lambda _, picture: len(picture) + 1
        )
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def first(self, namespace: str, uri: str, client: str, *, loaded_by: str = "") -> bytes:
        """Return a JPEG of the first photo at the address, for a job in that namespace; empty if there is none that
        the gallery can read.

        `client`: who asks, and shares the limit of calls. `loaded_by`: id of the job, if a run of it has its photos.
        """
        picture = b""
        if uri.startswith("file:"):
            picture = await self._get(client, namespace, uri)
        if loaded_by and not picture:
            picture = await self._get(client, loaded_by)
        return picture

    async def _get(self, client: str, *place: str) -> bytes:
        return await self._made.get(place, lambda: self._make(place), client)

    async def _make(self, place: tuple[str, ...]) -> bytes:
        async with self._slots:
            return await asyncio.to_thread(_ask, place)


def _ask(place: tuple[str, ...]) -> bytes:
    try:
        program = Program.start(__name__)
    except OSError:
        return b""
    try:
        answer = program.ask(place, seconds=_SECONDS)
        return base64.b64decode(answer["picture"])
    except (OSError, StorageError):
        return b""
    finally:
        program.end()


def perform(request: Sequence[str], _: Progress) -> dict[str, Any]:
    """In the process: make a picture. `request`: namespace and address, or the id of a job whose run has its photos.

    Raises StorageError for an address that the job may not read.
    """
    os.nice(_NICENESS)
    limit(resource.RLIMIT_NOFILE, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    files = volume.loaded_photos(*request, most=_TRIED) if len(request) == 1 else _in_folder(*request)
    Image.init()  # imports all decoders
    for what, most in {"AS": _MEMORY_BYTES, "CPU": _SECONDS, "FSIZE": 0, "NOFILE": 0}.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{what}"), (most, most))
    return {"picture": base64.b64encode(next(filter(None, map(_picture, files)), b"")).decode()}


def _in_folder(namespace: str, uri: str) -> list[BinaryIO]:
    limits, reason = Limits.from_config(namespace), "INPUT_REFUSED"
    path = uris.local_path(uris.split(uri, reason), reason)
    folder = local.list_folder(local.permitted(path, uri, limits), uri, limits)
    shown = [name for name in folder.photos if not is_video(name) and not is_mask(name)]
    return [folder.open(name) for name in shown[:_TRIED]]


def _picture(file: BinaryIO) -> bytes:
    """Return a small JPEG; empty if the photo cannot be decoded."""
    try:
        with Image.open(file, formats=_FORMATS) as image:
            image.draft("RGB", _SIDES)  # a JPEG is decoded at a fraction of its size
            picture = ImageOps.fit(ImageOps.exif_transpose(image).convert("RGB"), _SIDES)
        written = io.BytesIO()
        picture.save(written, "JPEG", quality=_QUALITY)
    except (OSError, ValueError, SyntaxError, MemoryError, Image.DecompressionBombError):
        return b""
    return written.getvalue()


if __name__ == "__main__":
    serve(perform)
