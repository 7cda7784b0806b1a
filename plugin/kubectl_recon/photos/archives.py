"""Archives of photos on this machine, unpacked as a worker unpacks them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from reconstruction_operator.planning.validation import ARCHIVE_SUFFIXES
from reconstruction_operator.transfer import unpack_process
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits

from kubectl_recon.display.progress import bar
from kubectl_recon.errors import ReconError, UsageError


@contextmanager
def unpacked(paths: Sequence[str]) -> Iterator[list[str]]:
    """Yield the paths, with a folder of its photos in place of each archive. The folders are deleted at the end.

    Raises UsageError for a file that is no archive or a refused one, ReconError if the disk is full.
    """
    with tempfile.TemporaryDirectory(prefix="recon-") as temporary:
        yield [
            _unpacked(Path(path), Path(temporary, str(index))) if _is_archive(path) else path
            for index, path in enumerate(paths)
        ]


def _is_archive(path: str) -> bool:
    return path.lower().endswith(ARCHIVE_SUFFIXES) and Path(path).is_file()


def _unpacked(archive: Path, into: Path) -> str:
    into.mkdir()
    limits = Limits.from_config()
    try:
        with archive.open("rb") as file, bar(f"Unpacking {archive.name}", 1) as progress:
            unpack_process.unpack(file, str(archive), into, limits, lambda _part, _text: progress(0))
    except StorageError as error:
        raise UsageError(error.message) from error
    except OSError as error:
        raise ReconError(f"{archive} cannot be unpacked to {into.parent} (TMPDIR): {error.strerror}") from error
    return str(into)
