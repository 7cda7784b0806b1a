"""Archives: the photos of a .zip, .tar or .tar.gz, unpacked by a separate process (`unpacker.py`) that this one watches."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from reconstruction_operator.transfer import unpacker
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits, Tick
from reconstruction_operator.transfer.names import Ignored

_INHERITED = ("LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH")  # allowlist: no setting and no secret


@dataclass(frozen=True, slots=True)
class Fetched:
    """The photos in the natural order of their names; `ignored` describes the other files.

    An input whose digest is among those that the caller knows has no `photos`: it was not copied.
    """

    photos: tuple[Path, ...]
    ignored: Ignored
    digest: str = ""  # digest of the input (`digests`); empty: it was not computed
    etag: str = ""  # ETag of an archive on an https:// server; empty: the server gives none


def unpack(archive: BinaryIO, shown: str, into: Path, limits: Limits, tick: Tick) -> Fetched:
    """Writes the photos of `archive` (called `shown` in messages) to the empty folder `into`.

    `tick` is called for each piece that is read, even if it holds no photo. An exception of `tick` ends the process.

    Raises:
        StorageError: INPUT_REFUSED: not an archive, damaged, encrypted, too large, or with entries that point elsewhere.
        OSError: the disk is full or broken.

    """
    request = unpacker.UnpackRequest(str(into), limits.max_bytes, limits.max_files)
    with subprocess.Popen(
        # -P: a module in the current folder must not shadow a library's.
        [sys.executable, "-P", "-m", unpacker.__name__, request.to_json()],
        stdin=archive,
        stdout=subprocess.PIPE,
        env={name: os.environ[name] for name in _INHERITED if name in os.environ},
        start_new_session=True,  # Ctrl-C is for the worker, which ends this process itself
    ) as process:
        try:
            outcome = _listen(process, tick)
        finally:
            process.kill()  # without effect on a process that has ended
    match outcome:
        case {"photos": photos, "ignored": ignored}:
            return Fetched(tuple(into / name for name in photos), Ignored(*ignored))
        case {"errno": number, "strerror": text, "filename": name}:
            raise OSError(number, text, name or None)
        case {"refused": why}:
            raise StorageError("INPUT_REFUSED", f"{shown} {why}")
    if process.returncode == -signal.SIGXCPU:
        raise StorageError("INPUT_REFUSED", f"{shown} takes too long to unpack")
    raise RuntimeError(f"the process that unpacked {shown} ended with exit code {process.returncode}")


def _listen(process: subprocess.Popen[bytes], tick: Tick) -> dict[str, Any]:
    """The outcome; empty if the process ended without one."""
    assert process.stdout is not None  # noqa: S101  # stdout is a pipe; for the type checker
    for line in process.stdout:
        match json.loads(line):
            case int() as photos:
                tick(0.0, f"{photos} photos unpacked")
            case outcome:
                process.wait()
                return dict(outcome)
    process.wait()
    return {}
