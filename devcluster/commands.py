"""Commands: run a program to its end, with a time limit, and return what it printed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from devcluster.errors import CommandError

_SECONDS = 300.0  # most take under 1 s; a loaded machine may need many times that


def run(
    command: Sequence[str | Path],
    *,
    stdin: str | None = None,
    check: bool = True,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    timeout_seconds: float = _SECONDS,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end. With `check`, a failure is a CommandError.

    `environment` is added to that of this process; standard input is never the terminal.
    """
    texts = [str(part) for part in command]
    done = subprocess.run(
        texts,
        input=stdin or "",
        env=os.environ | (environment or {}),
        cwd=folder,
        timeout=timeout_seconds,
        capture_output=True,
        text=True,
        check=False,
    )
    if check and done.returncode != 0:
        raise CommandError([Path(texts[0]).name, *texts[1:]], done.returncode, done.stdout, done.stderr)
    return done
