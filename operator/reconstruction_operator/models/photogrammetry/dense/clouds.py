"""Clouds of points with normals, and how they become thin."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np

from reconstruction_operator.models.photogrammetry.arrays import Doubles, Integers

_SHORTEST_NORMAL = 0.3  # of the mean of unit normals in a voxel; a shorter one means contradicting normals
_CELLS_ACROSS = 1 << 20  # that a key has room for, in each direction
_FEWEST_WAITING = 500_000  # points that are joined at once
_UNITS = 1 << 20  # of a cell, and of a unit normal


@dataclass(frozen=True, eq=False, slots=True)
class Cloud:
    """Points with unit normals, both (n, 3)."""

    points: Doubles
    normals: Doubles


class Voxels:
    """The mean point and normal of each cube of side `cell`. Memory grows with the cubes, not with the points.

    Sums are of whole numbers, so the order in which threads add makes no difference.
    """

    def __init__(self, cell: float) -> None:
        self._cell = cell
        self._keys: Integers = np.empty(0, dtype=np.int64)
        self._sums: Integers = np.empty((0, 7), dtype=np.int64)  # points and normals in units, count
        self._waiting: list[tuple[Integers, Integers]] = []
        self._adding = threading.Lock()

    def add(self, cloud: Cloud) -> None:
        """Adds the points of `cloud`; callable from any thread."""
        thin = self._summed(cloud)
        with self._adding:
            self._waiting.append(thin)
            # Joined when as much waits as there is: so each point is joined a few times at most.
            if sum(len(keys) for keys, _ in self._waiting) >= max(_FEWEST_WAITING, len(self._keys)):
                self._join()

    def cloud(self) -> Cloud:
        """The mean of each cube, in the order of space; none of cubes with contradicting normals."""
        self._join()
        means = self._sums[:, :6] / (self._sums[:, 6:] * _UNITS)
        lengths = np.linalg.norm(means[:, 3:], axis=1)
        agreed = lengths > _SHORTEST_NORMAL
        return Cloud(means[agreed, :3] * self._cell, means[agreed, 3:] / lengths[agreed][:, None])

    def _summed(self, cloud: Cloud) -> tuple[Integers, Integers]:
        places = cloud.points / self._cell
        cells = np.floor(places).astype(np.int64) + _CELLS_ACROSS // 2
        inside = ((cells >= 0) & (cells < _CELLS_ACROSS)).all(axis=1)  # what is so far away is no part of the scene
        keys = (cells[inside, 0] * _CELLS_ACROSS + cells[inside, 1]) * _CELLS_ACROSS + cells[inside, 2]
        values = np.ones((len(keys), 7), dtype=np.int64)
        values[:, :3] = np.rint(places[inside] * _UNITS)
        values[:, 3:6] = np.rint(cloud.normals[inside] * _UNITS)
        return _sum_by_key(keys, values)

    def _join(self) -> None:
        keys, sums = zip((self._keys, self._sums), *self._waiting, strict=True)
        self._keys, self._sums = _sum_by_key(np.concatenate(keys), np.concatenate(sums))
        self._waiting = []


def thinned(cloud: Cloud, cell: float) -> Cloud:
    """One point for each occupied cube of side `cell`: the mean of its points."""
    voxels = Voxels(cell)
    voxels.add(cloud)
    return voxels.cloud()


def _sum_by_key(keys: Integers, values: Integers) -> tuple[Integers, Integers]:
    """Each key once, in order, with the sum of its values."""
    if len(keys) == 0:
        return keys, values
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=ordered[0] - 1))
    return ordered[starts], np.add.reduceat(values[order], starts, axis=0)
