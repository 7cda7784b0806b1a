"""Photo check of an upload: what `kubectl recon submit` finds in photos, by the same code.

Photos are hostile, and the gallery has the tokens of its users. So a process without secrets decodes them: it has
limits of memory and CPU time, and may open neither a file nor a socket once the photos are open.
"""

from __future__ import annotations

import asyncio
import resource
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Final

from kubectl_recon.photos import advice, estimates, scanning
from PIL import Image
from reconstruction_operator.transfer.folders.directories import Directory
from reconstruction_operator.transfer.objects.concurrency import Progress
from reconstruction_operator.transfer.photos.masks import is_mask
from reconstruction_operator.transfer.programs import Program, serve
from reconstruction_operator.transfer.unpacker import limit

_SECONDS: Final = 60
_MEMORY_BYTES: Final = 448 << 20  # address space


async def findings(folder: Path) -> list[dict[str, str]]:
    """Return level and text of each finding about the photos in the folder, the most severe first.

    Raises OSError if it takes too long.

    A cancellation kills the process, and returns when it has ended.
    """
    program = await asyncio.to_thread(Program.start, __name__)
    answer = asyncio.ensure_future(asyncio.to_thread(_ask, program, folder))
    try:
        return await asyncio.shield(answer)
    except asyncio.CancelledError:
        program.process.kill()
        await asyncio.gather(answer, return_exceptions=True)
        raise


def _ask(program: Program, folder: Path) -> list[dict[str, str]]:
    try:
        answer: list[dict[str, str]] = program.ask(str(folder), seconds=_SECONDS)["findings"]
        return answer
    finally:
        program.end()


def perform(request: str, _: Progress) -> dict[str, Any]:
    """In the process: measure the photos of a folder."""
    folder = Path(request)
    limit(resource.RLIMIT_NOFILE, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    with Directory.open(folder, create=False) as photos:
        names = [name for name in sorted(photos.names()) if not name.startswith(".") and not is_mask(name)]
        files = [photos.open_file(PurePosixPath(name)) for name in names]
    Image.init()  # imports all decoders, and so does the next line
    scanning.opens_heic()
    for what, most in {"AS": _MEMORY_BYTES, "CPU": _SECONDS, "FSIZE": 0, "NOFILE": 0}.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{what}"), (most, most))
    measured = list(map(_measured, names, files))
    found = [*advice.findings(measured), *estimates.estimates(measured)]
    return {"findings": [{"level": finding.level, "text": finding.text} for finding in found]}


def _measured(name: str, file: BinaryIO) -> scanning.Photo:
    path = Path(f"/proc/self/fd/{file.fileno()}")
    try:
        return scanning.measure(path, name, file)
    except MemoryError:  # a very large PNG or TIFF is not measured
        return scanning.Photo(path, name, 0)


if __name__ == "__main__":
    serve(perform)
