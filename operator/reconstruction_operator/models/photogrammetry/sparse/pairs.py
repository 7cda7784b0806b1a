"""Pair selection: chooses the pairs of photos to match: all in small sets, similar photos in larger ones."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence

import numpy as np

from reconstruction_operator.models.photogrammetry.sparse.similarity import Descriptors

EXHAUSTIVE_UP_TO = 20  # photos; their 190 pairs are no more than a selection would have
_NEAREST = 8  # most similar photos for each photo
_BESIDE = 2  # photos before and after each photo, in the order of their names
_NEAREST_ALIGNED = 30  # most similar aligned photos for each photo that overlaps with none

Pair = tuple[str, str]


def choose(descriptors: Descriptors) -> list[Pair]:
    """Return the first pairs of a larger set, each once.

    They are the most similar photos, and neighbours in the order of names. This order is a ring, since a walk around an object ends where
    it began.
    """
    names = descriptors.names
    count = len(names)
    beside = [(index, (index + offset) % count) for index in range(count) for offset in range(1, _BESIDE + 1)]
    return _named(names, [*beside, *_nearest(descriptors, range(count), range(count), _NEAREST)])


def towards(descriptors: Descriptors, left_out: Collection[str], aligned: Collection[str]) -> list[Pair]:
    """Return pairs of each photo in `left_out` with the most similar photos in `aligned`."""
    index = {name: position for position, name in enumerate(descriptors.names)}
    rows, columns = [index[name] for name in sorted(left_out)], [index[name] for name in sorted(aligned)]
    return _named(descriptors.names, _nearest(descriptors, rows, columns, _NEAREST_ALIGNED))


def around(overlapping: Collection[Pair], left_out: Collection[str]) -> list[Pair]:
    """Return pairs of the photos in `left_out` with the neighbours of their neighbours, by the pairs in `overlapping`."""
    near: dict[str, set[str]] = {}
    for first, second in overlapping:
        near.setdefault(first, set()).add(second)
        near.setdefault(second, set()).add(first)
    pairs = {pair for others in near.values() for pair in itertools.combinations(sorted(others), 2)}
    return sorted(pair for pair in pairs if not frozenset(pair).isdisjoint(left_out))


def _nearest(descriptors: Descriptors, rows: Sequence[int], columns: Sequence[int], most: int) -> list[tuple[int, int]]:
    """Return each of `rows` with the `most` of `columns` that are most similar to it."""
    similarity = descriptors.similarity[np.ix_(rows, columns)]
    order = np.argsort(-similarity, axis=1, kind="stable")
    pairs = []
    for row, best in zip(rows, order, strict=True):
        others = [columns[position] for position in best if columns[position] != row]
        pairs += [(row, other) for other in others[:most]]
    return pairs


def _named(names: Sequence[str], pairs: Sequence[tuple[int, int]]) -> list[Pair]:
    return [(names[first], names[second]) for first, second in sorted({(min(pair), max(pair)) for pair in pairs})]
