"""Unpack process: starts the process that unpacks an archive (`unpacker.py`), and watches it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, BinaryIO

from reconstruction_operator.transfer import unpacker
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.fetched import Fetched
from reconstruction_operator.transfer.limits import Limits, Tick
from reconstruction_operator.transfer.names import Ignored

_INHERITED = ("LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH")  # an allowlist, so that no setting or secret is passed on


def unpack(archive: BinaryIO, shown: str, into: Path, limits: Limits, tick: Tick) -> Fetched:
    """Write the photos of `archive` (`shown` in messages) to the empty folder `into`.

    `tick` is called for each piece that is read, even if it contains no photo. If `tick` raises, the process is killed.

    Raises:
        StorageError: INPUT_REFUSED: not an archive, damaged, encrypted, too large, or with an entry that leads out of it.
        OSError: the disk is full or broken.

    """
    request = unpacker.UnpackRequest(str(into), limits.max_bytes, limits.max_files)
    with subprocess.Popen(
        # -P: a module in the current folder must not shadow a library's.
        [sys.executable, "-P", "-m", unpacker.__name__, request.to_json()],
        stdin=archive,
        stdout=subprocess.PIPE,
        env={name: os.environ[name] for name in _INHERITED if name in os.environ},
        start_new_session=True,  # the worker handles Ctrl-C, and kills this process itself
    ) as process:
        try:
            outcome = _listen(process, tick)
        finally:
            process.kill()  # no effect if the process has exited
    match outcome:
        case {"photos": photos, "ignored": ignored}:
            return Fetched(tuple(into / name for name in photos), Ignored(*ignored))
        case {"errno": number, "strerror": text, "filename": name}:
            raise OSError(number, text, name or None)
        case {"refused": why}:
            raise StorageError("INPUT_REFUSED", f"{shown} {why}")
    if process.returncode == -signal.SIGXCPU:
        raise StorageError("INPUT_REFUSED", f"{shown} takes too long to unpack")
    raise RuntimeError(f"the process that unpacked {shown} exited with code {process.returncode}")


def _listen(process: subprocess.Popen[bytes], tick: Tick) -> dict[str, Any]:
    """Return the outcome; empty if the process exited without one."""
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
