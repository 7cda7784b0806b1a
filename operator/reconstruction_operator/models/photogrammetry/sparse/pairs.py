"""Pair selection: which photos are matched with which. All with all in small sets, those that look alike in larger ones."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence

import numpy as np

from reconstruction_operator.models.photogrammetry.sparse.similarity import Descriptors

EXHAUSTIVE_UP_TO = 20  # photos: 190 pairs, no more than the nearest of each would be
_NEAREST = 8  # photos that look most alike each one
_BESIDE = 2  # photos before and after each one, in the order of their names
_NEAREST_ALIGNED = 30  # of each photo that overlaps with none

Pair = tuple[str, str]


def choose(descriptors: Descriptors) -> list[Pair]:
    """The pairs of a larger set to begin with, each once.

    Beside the nearest, neighbours in the order of names are matched. The order is a ring: a walk around an object ends where it began.
    """
    names = descriptors.names
    count = len(names)
    beside = [(index, (index + offset) % count) for index in range(count) for offset in range(1, _BESIDE + 1)]
    return _named(names, [*beside, *_nearest(descriptors, range(count), range(count), _NEAREST)])


def towards(descriptors: Descriptors, left_out: Collection[str], aligned: Collection[str]) -> list[Pair]:
    """Pairs of each photo that overlaps with none so far with those aligned photos that look most like it."""
    index = {name: position for position, name in enumerate(descriptors.names)}
    rows, columns = [index[name] for name in sorted(left_out)], [index[name] for name in sorted(aligned)]
    return _named(descriptors.names, _nearest(descriptors, rows, columns, _NEAREST_ALIGNED))


def around(overlapping: Collection[Pair], left_out: Collection[str]) -> list[Pair]:
    """Pairs of photos that were left out with those that overlap with what they overlap with, as far as `overlapping` shows."""
    near: dict[str, set[str]] = {}
    for first, second in overlapping:
        near.setdefault(first, set()).add(second)
        near.setdefault(second, set()).add(first)
    found = {pair for others in near.values() for pair in itertools.combinations(sorted(others), 2)}
    return sorted(pair for pair in found if not frozenset(pair).isdisjoint(left_out))


def every(names: Sequence[str]) -> list[Pair]:
    """All pairs of these names."""
    return list(itertools.combinations(names, 2))


def _nearest(descriptors: Descriptors, rows: Sequence[int], columns: Sequence[int], most: int) -> list[tuple[int, int]]:
    """Each of `rows` with the `most` of `columns` that look most like it."""
    similarity = descriptors.similarity[np.ix_(rows, columns)]
    order = np.argsort(-similarity, axis=1, kind="stable")
    found = []
    for row, best in zip(rows, order, strict=True):
        others = [columns[position] for position in best if columns[position] != row]
        found += [(row, other) for other in others[:most]]
    return found


def _named(names: Sequence[str], found: Sequence[tuple[int, int]]) -> list[Pair]:
    return [(names[first], names[second]) for first, second in sorted({(min(pair), max(pair)) for pair in found})]
