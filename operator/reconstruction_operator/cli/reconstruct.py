"""Reconstruct: `reconstruction-operator reconstruct PHOTOS --output OUT` runs a model on this machine.

`kubectl recon run` is the front end for people: it reads the lines that `--json` prints (`worker.local`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconstruction_operator.worker.local import OutputLine


def run(
    *, photos: Sequence[Path], output: Path, model: str, param: Sequence[tuple[str, object]], threads: int, json: bool
) -> int:
    """Run the command; return its exit status."""
    from reconstruction_operator.worker import local  # noqa: PLC0415  # the operator's image lacks its packages

    request = local.LocalRequest(photos, output, model, dict(param), threads)
    return local.run(request, _as_json if json else _as_text)


def _as_json(line: OutputLine) -> None:
    """Print a line for programs."""
    print(json.dumps(line), flush=True)


def _as_text(line: OutputLine) -> None:
    """Print a line for people."""
    match line:
        case {"failure": failure}:
            print("{reason}: {message}".format(**failure), file=sys.stderr)
        case {"result": result}:
            print(json.dumps(result, indent=2))
        case _:
            print(f"{line['percent']:3d}% {line['step']}  {line['message']}".rstrip(), file=sys.stderr)
