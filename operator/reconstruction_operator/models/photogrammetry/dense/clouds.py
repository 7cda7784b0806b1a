"""Point clouds with normals, and their thinning to one point for each voxel."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np

from reconstruction_operator.models.photogrammetry.arrays import Doubles, Integers

_SHORTEST_NORMAL = 0.3  # of the mean of a voxel's unit normals; if shorter, the normals contradict each other
_CELLS_ACROSS = 1 << 20  # maximum number of cells in each direction that fits into a key
_FEWEST_WAITING = 500_000  # minimum number of points to join at once
_UNITS = 1 << 20  # fixed-point units of a cell, and of a unit normal


@dataclass(frozen=True, eq=False, slots=True)
class Cloud:
    """Points with unit normals, both (n, 3)."""

    points: Doubles
    normals: Doubles


class Voxels:
    """The mean point and normal of each cube of side `cell`. Memory grows with the number of cubes, not of points.

    Sums are whole numbers, so the result does not depend on the order in which threads add.
    """

    def __init__(self, cell: float) -> None:
        self._cell = cell
        self._keys: Integers = np.empty(0, dtype=np.int64)
        self._sums: Integers = np.empty((0, 7), dtype=np.int64)  # points and normals in units, count
        self._waiting: list[tuple[Integers, Integers]] = []
        self._adding = threading.Lock()

    def add(self, cloud: Cloud) -> None:
        """Add the points of `cloud`; may be called from any thread."""
        thin = self._summed(cloud)
        with self._adding:
            self._waiting.append(thin)
            # Joining only when as many wait as were joined before limits how often each point is joined.
            if sum(len(keys) for keys, _ in self._waiting) >= max(_FEWEST_WAITING, len(self._keys)):
                self._join()

    def cloud(self) -> Cloud:
        """Return the mean of each cube, in spatial order, without cubes of contradicting normals."""
        self._join()
        means = self._sums[:, :6] / (self._sums[:, 6:] * _UNITS)
        lengths = np.linalg.norm(means[:, 3:], axis=1)
        agreed = lengths > _SHORTEST_NORMAL
        return Cloud(means[agreed, :3] * self._cell, means[agreed, 3:] / lengths[agreed][:, None])

    def _summed(self, cloud: Cloud) -> tuple[Integers, Integers]:
        places = cloud.points / self._cell
        cells = np.floor(places).astype(np.int64) + _CELLS_ACROSS // 2
        inside = ((cells >= 0) & (cells < _CELLS_ACROSS)).all(axis=1)  # farther points are not part of the scene
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
    """Return one point for each occupied cube of side `cell`: the mean of its points."""
    voxels = Voxels(cell)
    voxels.add(cloud)
    return voxels.cloud()


def _sum_by_key(keys: Integers, values: Integers) -> tuple[Integers, Integers]:
    """Return each key once, in order, with the sum of its values."""
    if len(keys) == 0:
        return keys, values
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=ordered[0] - 1))
    return ordered[starts], np.add.reduceat(values[order], starts, axis=0)
