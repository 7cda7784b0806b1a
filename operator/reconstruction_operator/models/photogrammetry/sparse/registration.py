"""Registration: matches and aligns in rounds, until few photos are left out.

1. The photos are aligned one by one, by the pairs that `pairs.choose` names.
2. Those left out are matched with the aligned ones that look most like them, and alignment goes on.
3. If too few are aligned then, all pairs are matched, as far as that is affordable, and alignment starts anew.
4. If some are still left out, all are aligned at once.

The model that aligns most photos is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from reconstruction_operator.models.photogrammetry import gates
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.sparse import leaving, looks, mapping, matching, pairs
from reconstruction_operator.models.photogrammetry.sparse.mapping import Alignment, Matched, SparseModel
from reconstruction_operator.models.photogrammetry.sparse.pairs import Pair

_ENOUGH_SHARE = 0.8  # with fewer, all pairs are matched
_AFFORDABLE_PAIRS = 5_000  # all pairs of 100 photos, up to ten minutes on two cores
_NEARLY_ALL_SHARE = 0.95  # with fewer, all photos are aligned at once as well


def match(database: Path, scratch: Path, *, seed: int, threads: int, progress: StageProgress) -> None:
    """Matches the pairs from which `register` starts."""
    chosen = pairs.choose(looks.of_photos(database, seed))
    matching.match(chosen, database, scratch, seed=seed, threads=threads, progress=progress)


def register(matched: Matched, progress: StageProgress) -> SparseModel:
    """The largest consistent model, from the matches of `match`; it may be small or empty."""
    count = matched.count
    found = mapping.one_by_one(matched, progress.part(0.0, 0.7))
    if _aligned(found) < count:
        found += _with_more_pairs(matched, found, progress.part(0.7, 0.9))
    aligned = _aligned(found)
    # Not of too few: see `mapping` on photos that lack parallax.
    if gates.fewest_aligned(count) <= aligned < _NEARLY_ALL_SHARE * count:
        message = f"{aligned} of {count} photos aligned one by one, trying all at once"
        found += mapping.all_at_once(matched, progress.part(0.9, 1.0), message)
    best = _largest(found)
    model = SparseModel((), np.zeros((0, 3)), 0.0) if best is None else best.model
    progress(1.0, f"{len(model.photos)} of {count} photos aligned")
    in_any = [name for one in found for name in one.names]
    return replace(model, left_out=leaving.left_out(matched.database, [one.name for one in model.photos], in_any))


def _with_more_pairs(matched: Matched, found: Sequence[Alignment], progress: StageProgress) -> list[Alignment]:
    """What more pairs align."""
    known, best = looks.of_photos(matched.database, matched.seed), _largest(found)
    more: list[Alignment] = []
    if best is not None:
        left_out = frozenset(known.names) - best.names
        if _matches(matched, pairs.towards(known, left_out, best.names), progress.part(0.0, 0.2)):
            more += mapping.one_by_one(matched, progress.part(0.2, 0.3), begun=best)
    every = pairs.every(known.names)
    if (
        _aligned([*found, *more]) < _ENOUGH_SHARE * matched.count
        and len(every) <= _AFFORDABLE_PAIRS
        and _matches(matched, every, progress.part(0.3, 0.8))
    ):
        more += mapping.one_by_one(matched, progress.part(0.8, 1.0))
    return more


def _matches(matched: Matched, chosen: Sequence[Pair], progress: StageProgress) -> bool:
    """Matches the pairs; whether any of them was new."""
    database, scratch = matched.database, matched.scratch
    return matching.match(chosen, database, scratch, seed=matched.seed, threads=matched.threads, progress=progress) > 0


def _largest(found: Sequence[Alignment]) -> Alignment | None:
    """The first of those with most photos."""
    return max(found, key=lambda one: len(one.model.photos), default=None)


def _aligned(found: Sequence[Alignment]) -> int:
    return max((len(one.model.photos) for one in found), default=0)
