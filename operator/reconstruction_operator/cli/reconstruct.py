"""Reconstruct: `reconstruction-operator reconstruct PHOTOS --output OUT` runs a model on this machine.

`kubectl recon run` is the front end for people: it reads the lines of JSON that this prints (`worker.local`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path


def run(*, photos: Sequence[Path], output: Path, model: str, param: Sequence[tuple[str, object]], threads: int) -> int:
    """Run the command; return its exit status."""
    from reconstruction_operator.worker import local  # noqa: PLC0415  # the operator's image lacks its packages

    request = local.LocalRequest(photos, output, model, dict(param), threads)
    return local.run(request, lambda line: print(json.dumps(line), flush=True))
