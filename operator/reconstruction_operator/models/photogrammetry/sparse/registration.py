"""Registration: matches and aligns photos in rounds, until few are left out.

1. The photos are aligned one by one, with the pairs from `choose`.
2. If some are left out, all are aligned with fewer matches required: one by one, then all at once. This is fast.
3. The photos still left out are matched again, by guided matching, with their neighbours and the neighbours of those. Photos without
   neighbours are matched with the most similar aligned photos. All are aligned again, as in 1 and 2.
4. If too few are aligned then, all other pairs are matched, if they are not too many, and all photos are aligned again.

The model with most photos is kept, and its cameras are refined.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np

from reconstruction_operator.models.photogrammetry import quality_gates
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.sparse import (
    features,
    left_out,
    mapping,
    matching,
    pairs,
    principal_points,
    similarity,
)
from reconstruction_operator.models.photogrammetry.sparse.mapping import Matched, SparseModel
from reconstruction_operator.models.photogrammetry.sparse.pairs import Pair
from reconstruction_operator.models.photogrammetry.sparse.similarity import Descriptors

_ENOUGH_SHARE = 0.8  # with a smaller share aligned, all pairs are matched
_AFFORDABLE_PAIRS = 5_000  # those of 100 photos; up to ten minutes on two cores
_FEW_FEATURES = 4_000  # mean of the photos; with more, guided matching is slow and not needed
_NEARLY_ALL_SHARE = 0.95  # with a smaller share aligned, fewer matches are tried too


def choose(database: Path, seed: int) -> list[Pair]:
    """Return the pairs of photos in `database` to match before `register`. Descriptors are computed only for larger sets."""
    names = similarity.names(database)
    if len(names) <= pairs.EXHAUSTIVE_UP_TO:
        return list(combinations(names, 2))
    return pairs.choose(similarity.of_photos(database, seed))


def register(matched: Matched, progress: StageProgress) -> SparseModel:
    """Return the largest consistent model, which may be small or empty. The pairs from `choose` must be matched."""
    count = matched.count
    models = mapping.one_by_one(matched, progress.part(0.0, 0.7))
    if _aligned(models) < count:
        models += _by_few_matches(matched, models, progress.part(0.7, 0.75))
    if _aligned(models) < count:
        more = _with_pairs_around(matched, models, progress.part(0.75, 0.8))
        models += more
        models += _by_few_matches(matched, models, progress.part(0.8, 0.85)) if more else []
    if _aligned(models) < _ENOUGH_SHARE * count:
        more = _with_all_pairs(matched, progress.part(0.85, 0.95))
        models += more
        models += _by_few_matches(matched, models, progress.part(0.95, 1.0)) if more else []
    best = _largest(models)
    model = principal_points.refined(best, matched.threads) if best else SparseModel((), np.zeros((0, 3)), 0.0)
    progress(1.0, f"{len(model.photos)} of {count} photos aligned")
    out = left_out.left_out(matched.database, model.names, apart(models, model))
    return replace(model, left_out=out, reconstruction=None)


def apart(models: Sequence[SparseModel], best: SparseModel) -> frozenset[str]:
    """Return the photos of models that share at most half of their photos with `best`: such a model shows another object.

    A model of the same object from an earlier round has most of its photos in `best`.
    """
    others = (model.names for model in models if 2 * len(model.names & best.names) <= len(model.names))
    return frozenset().union(*others) - best.names


def _by_few_matches(matched: Matched, models: Sequence[SparseModel], progress: StageProgress) -> list[SparseModel]:
    """Align with fewer matches required. Return nothing if nearly all, or too few photos are aligned: see `mapping` on parallax."""
    aligned, count = _aligned(models), matched.count
    if not quality_gates.fewest_aligned(count) <= aligned < _NEARLY_ALL_SHARE * count:
        return []
    more = mapping.one_by_one(matched, progress.part(0.0, 0.5), with_few_matches=True)
    if (aligned := max(aligned, _aligned(more))) < count:
        message = f"{aligned} of {count} photos aligned one by one, trying all at once"
        more += mapping.all_at_once(matched, progress.part(0.5, 1.0), message)
    return more


def _with_pairs_around(matched: Matched, models: Sequence[SparseModel], progress: StageProgress) -> list[SparseModel]:
    """Align again with more matches of the photos left out."""
    best = _largest(models)
    if best is None:
        return []
    guided = features.mean(matched.database) <= _FEW_FEATURES
    descriptors = similarity.of_photos(matched.database, matched.seed)
    return _with(matched, _around(matched, descriptors, best, again=guided), progress, guided=guided)


def _with_all_pairs(matched: Matched, progress: StageProgress) -> list[SparseModel]:
    """Align again with the matches of all pairs. Return nothing if these are too many, or were matched already."""
    every = list(combinations(similarity.names(matched.database), 2))
    return _with(matched, every, progress, guided=False) if len(every) <= _AFFORDABLE_PAIRS else []


def _around(matched: Matched, descriptors: Descriptors, best: SparseModel, *, again: bool) -> list[Pair]:
    """Return pairs of the photos that `best` leaves out. With `again`, include matched pairs, and delete their matches."""
    overlapping = matching.overlapping(matched.database)
    left_out = frozenset(descriptors.names) - best.names
    alone = left_out.difference(*overlapping)
    chosen = [*pairs.around(overlapping, left_out), *pairs.towards(descriptors, alone, best.names)]
    if again:
        weak = [pair for pair in overlapping if not left_out.isdisjoint(pair)]
        matching.forget(weak, matched.database)
        chosen += weak
    return chosen


def _with(matched: Matched, more: Sequence[Pair], progress: StageProgress, *, guided: bool) -> list[SparseModel]:
    """Match those pairs too, and align again. Return nothing if they were all matched already."""
    database, scratch, seed, threads = matched.database, matched.scratch, matched.seed, matched.threads
    first, second = progress.part(0.0, 0.7), progress.part(0.7, 1.0)
    if not matching.match(more, database, scratch, seed=seed, threads=threads, progress=first, guided=guided):
        return []
    # From the start: continuing from the existing model aligned fewer photos.
    return mapping.one_by_one(matched, second)


def _largest(models: Sequence[SparseModel]) -> SparseModel | None:
    """Return the first of the models with most photos."""
    return max(models, key=lambda model: len(model.photos), default=None)


def _aligned(models: Sequence[SparseModel]) -> int:
    return max((len(model.photos) for model in models), default=0)
