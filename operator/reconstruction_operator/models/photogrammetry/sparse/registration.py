"""Registration: matches and aligns photos in rounds, until few are left out.

1. The photos are aligned one by one, with the pairs from `pairs.choose`.
2. If more than a hundredth are left out, they are matched again, by guided matching, with their neighbours and the
   neighbours of those. Photos without neighbours are matched with the most similar aligned photos. All are aligned
   again.
3. If more than a twentieth are still left out, all are aligned with fewer matches required: one by one, then all at
   once.
4. If too few are aligned then, all other pairs are matched, if they are not too many, and all photos are aligned as in
   1 and 3.

The model with most photos is kept, and its cameras are refined. Matches are verified by two-view geometry, and kept in
COLMAP's database.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np

from reconstruction_operator.models.photogrammetry import quality_gates
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.sparse import lenses, mapping, pairs
from reconstruction_operator.models.photogrammetry.sparse.colmap import CPU, IS_SAFE_IN_THREADS, pycolmap
from reconstruction_operator.models.photogrammetry.sparse.mapping import LeftOut, Matched, SparseModel, Why
from reconstruction_operator.models.photogrammetry.sparse.pairs import Descriptors, Pair

_AFFORDABLE_PAIRS = 5_000  # those of 100 photos; up to ten minutes on two cores
_WORST_RATIO = 0.85  # of the distances of the best and the second match; COLMAP's default of 0.8 leaves more photos out
_TRIALS = 2_000  # of RANSAC; COLMAP's default of 10,000 takes most of the time, for pairs that do not overlap


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of aligned photos that decide which rounds of matching follow."""

    enough: float = 0.8  # with a smaller one, all pairs are matched
    nearly_all: float = 0.95  # with a smaller one, fewer matches are tried too
    as_good_as_all: float = 0.99  # with this one, no more pairs are matched: all photos would be aligned again


_SHARES = Shares()


def register(matched: Matched, progress: StageProgress, shares: Shares = _SHARES) -> SparseModel:
    """Return the largest consistent model, which may be small or empty.

    The pairs from `pairs.choose` must be matched.
    """
    count = matched.count
    models = mapping.one_by_one(matched, progress.part(0.0, 0.7))
    if _aligned(models) < shares.as_good_as_all * count:
        models += _with_pairs_around(matched, models, progress.part(0.7, 0.8))
    models += _by_few_matches(matched, models, progress.part(0.8, 0.85), shares)
    if _aligned(models) < shares.enough * count:
        more = _with_all_pairs(matched, progress.part(0.85, 0.95))
        models += more
        models += _by_few_matches(matched, models, progress.part(0.95, 1.0), shares) if more else []
    best = _largest(models)
    model = lenses.refined(best) if best else SparseModel((), np.zeros((0, 3)), 0.0)
    progress(1.0, f"{len(model.photos)} of {count} photos aligned")
    out = _left_out(matched.database, model.names, apart(models, model))
    return replace(model, left_out=out, reconstruction=None)


def match(pairs: Iterable[Pair], matched: Matched, progress: StageProgress, *, guided: bool = False) -> int:
    """Match those of `pairs` (of photos in `matched`) that are not matched yet; return their number.

    With `guided`, the features of an overlapping pair are matched again along epipolar
    lines. This nearly doubles the matches of that pair, and takes about ten times as long.
    """
    options = pycolmap.FeatureMatchingOptions()
    options.num_threads = matched.threads if IS_SAFE_IN_THREADS else 1
    options.use_gpu = False
    options.guided_matching = guided
    options.sift.max_ratio = _WORST_RATIO
    verification = pycolmap.TwoViewGeometryOptions()
    verification.ransac.random_seed = matched.seed
    verification.ransac.max_num_trials = _TRIALS
    pairing = pycolmap.ImportedPairingOptions()

    def call() -> None:
        # One call for all pairs, since each call rebuilds the search structures of its photos.
        pycolmap.match_image_pairs(
            matched.database,
            matching_options=options,
            pairing_options=pairing,
            verification_options=verification,
            device=CPU,
        )

    new = unmatched(pairs, matched.database)
    if not new:
        return 0
    with pycolmap.Database.open(matched.database) as reader:
        with tempfile.NamedTemporaryFile("w", dir=matched.scratch, suffix=".txt", delete=False) as file:
            file.writelines(f"{first} {second}\n" for first, second in new)
        pairing.match_list_path = Path(file.name)
        before = reader.num_matched_image_pairs()

        def measure() -> tuple[float, str]:
            done = reader.num_matched_image_pairs() - before
            return done / len(new), f"matched {done}/{len(new)} pairs"

        progress.during(call, measure)
    return len(new)


def unmatched(pairs: Iterable[Pair], database: Path) -> list[Pair]:
    """Return those of `pairs` that are not matched yet, each once."""
    with pycolmap.Database.open(database) as reader:
        images = {str(image.name): image.image_id for image in reader.read_all_images()}
        return [pair for pair in dict.fromkeys(pairs) if not reader.exists_matches(images[pair[0]], images[pair[1]])]


def overlapping(database: Path) -> list[Pair]:
    """Return the pairs in `database` that have verified matches."""
    with pycolmap.Database.open(database) as opened:
        names = {image.image_id: str(image.name) for image in opened.read_all_images()}
        ids, inliers = opened.read_two_view_geometry_num_inliers()
        return [
            (names[first], names[second])
            for first, second in (
                pycolmap.pair_id_to_image_pair(pair) for pair, count in zip(ids, inliers, strict=True) if count
            )
        ]


def forget(pairs: Iterable[Pair], database: Path) -> None:
    """Delete the matches of those pairs."""
    with pycolmap.Database.open(database) as opened:
        images = {str(image.name): image.image_id for image in opened.read_all_images()}
        for first, second in pairs:
            opened.delete_matches(images[first], images[second])
            opened.delete_two_view_geometry(images[first], images[second])


def apart(models: Sequence[SparseModel], best: SparseModel) -> frozenset[str]:
    """Return the photos of models that share at most half of their photos with `best`: such a model shows another
    object.

    A model of the same object from an earlier round has most of its photos in `best`.
    """
    others = (model.names for model in models if 2 * len(model.names & best.names) <= len(model.names))
    return frozenset().union(*others) - best.names


def _left_out(database: Path, aligned: Iterable[str], apart: Iterable[str]) -> tuple[LeftOut, ...]:
    """Return the photos in `database` whose names are not in `aligned`, in the order of their names.

    The photos in `apart` were aligned in another model. Photos that overlap with each other, but by no chain of photos
    with the aligned ones, show something else as well.
    """
    inside = set(aligned)
    verified = overlapping(database)
    matched = {name for pair in verified for name in pair}
    elsewhere = set(apart)
    if inside:
        elsewhere |= matched - _chained(verified, inside)
    photos = []
    with pycolmap.Database.open(database) as opened:
        for image in sorted(opened.read_all_images(), key=lambda image: str(image.name)):
            why = Why.NOT_ALIGNED if image.name in matched else Why.NO_MATCHES
            if opened.num_keypoints_for_image(image.image_id) < quality_gates.POINTS_SEEN.limit:
                why = Why.NO_FEATURES
            if image.name not in inside:
                photos.append(LeftOut(image.name, Why.APART if image.name in elsewhere else why))
    return tuple(photos)


def _chained(overlaps: Iterable[Pair], start: Collection[str]) -> set[str]:
    """Return `start`, and the photos that a chain of `overlaps` connects with one of these."""
    neighbours: dict[str, set[str]] = {}
    for first, second in overlaps:
        neighbours.setdefault(first, set()).add(second)
        neighbours.setdefault(second, set()).add(first)
    reached = set(start)
    last = set(start)
    while last:
        last = set().union(*(neighbours.get(name, ()) for name in last)) - reached
        reached |= last
    return reached


def _by_few_matches(
    matched: Matched, models: Sequence[SparseModel], progress: StageProgress, shares: Shares
) -> list[SparseModel]:
    """Align with fewer matches required.

    Return nothing if nearly all, or too few photos are aligned: see `mapping` on parallax.
    """
    aligned, count = _aligned(models), matched.count
    if not quality_gates.fewest_aligned(count) <= aligned < shares.nearly_all * count:
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
    descriptors = pairs.of_photos(matched.database, matched.seed)
    return _with(matched, _around(matched, descriptors, best), progress, guided=True)


def _with_all_pairs(matched: Matched, progress: StageProgress) -> list[SparseModel]:
    """Align again with the matches of all pairs. Return nothing if these are too many, or were matched already."""
    every = list(combinations(pairs.names(matched.database), 2))
    return _with(matched, every, progress, guided=False) if len(every) <= _AFFORDABLE_PAIRS else []


def _around(matched: Matched, descriptors: Descriptors, best: SparseModel) -> list[Pair]:
    """Return pairs of the photos that `best` leaves out, also those that overlap, whose matches are deleted."""
    verified = overlapping(matched.database)
    left_out = frozenset(descriptors.names) - best.names
    alone = left_out.difference(*verified)
    weak = [pair for pair in verified if not left_out.isdisjoint(pair)]
    forget(weak, matched.database)
    return [*pairs.around(verified, left_out), *pairs.towards(descriptors, alone, best.names), *weak]


def _with(matched: Matched, more: Sequence[Pair], progress: StageProgress, *, guided: bool) -> list[SparseModel]:
    """Match those pairs too, and align again. Return nothing if they were all matched already."""
    if not match(more, matched, progress.part(0.0, 0.7), guided=guided):
        return []
    # From the start: continuing from the existing model aligned fewer photos.
    return mapping.one_by_one(matched, progress.part(0.7, 1.0))


def _largest(models: Sequence[SparseModel]) -> SparseModel | None:
    """Return the first of the models with most photos."""
    return max(models, key=lambda model: len(model.photos), default=None)


def _aligned(models: Sequence[SparseModel]) -> int:
    return max((len(model.photos) for model in models), default=0)
