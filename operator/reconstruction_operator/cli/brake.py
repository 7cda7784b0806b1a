"""`brake list` and `brake release`: the deletions that the operator's brake holds."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence


def run(namespaces: Sequence[str], *, every: bool) -> int:
    """Release the held deletions of these namespaces, or of every one; without either, list them.

    Return the exit status: 1 if nothing is held in one of the namespaces, and nothing was released in it. Raises
    RedisError, ProtocolError, NoClusterError and NotInstalledError.
    """
    from reconstruction_operator.controller import releasing  # noqa: PLC0415  # the worker's image lacks its packages

    counts = asyncio.run(releasing.release(namespaces, every=every))
    idle = [namespace for namespace in namespaces if not counts.released.get(namespace)]
    wanted = {name: number for name, number in counts.released.items() if every or name in namespaces}
    for namespace in idle:
        print(f"Nothing is held in namespace {namespace}", file=sys.stderr)
    if wanted:
        print(f"Released, to be cleaned up within a minute: {_text(wanted)}")
    if counts.held:
        print(f"Held: {_text(counts.held)}")
    elif not wanted:
        print("The brake holds no deletions")
    return 1 if idle else 0


def _text(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{namespace or '(unknown)'} {number}" for namespace, number in sorted(numbers.items()))
