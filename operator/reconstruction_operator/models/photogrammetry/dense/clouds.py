"""Point clouds with normals, and their thinning to one point for each voxel."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from reconstruction_operator.models.photogrammetry.arrays import Doubles, Integers

_SHORTEST_NORMAL = 0.3  # of the mean of a voxel's unit normals; if shorter, the normals contradict each other
_CELLS = (1 << 20,) * 3  # maximum number of cells in each direction that fits into a key
_FEWEST_WAITING = 500_000  # minimum number of points to join at once
_UNITS = 1 << 20  # fixed-point units of a cell, and of a unit normal


@dataclass(frozen=True, eq=False, slots=True)
class Cloud:
    """Points with unit normals, both (n, 3)."""

    points: Doubles
    normals: Doubles


@dataclass(frozen=True, eq=False, slots=True)
class Sums:
    """The sums of some points in each cube."""

    keys: Integers  # (n,): the cubes, in order
    sums: Integers  # (n, 7): places in the cube and normals in units, and the count


class Voxels:
    """The mean point and normal of each cube of side `cell`. Memory grows with the number of cubes, not of points.

    Sums are whole numbers, so the result does not depend on the order in which threads add.
    """

    def __init__(self, cell: float, *, fewest_waiting: int = _FEWEST_WAITING) -> None:
        self._cell = cell
        self._fewest_waiting = fewest_waiting
        self._keys: Integers = np.empty(0, dtype=np.int64)
        self._sums: Integers = np.empty((0, 7), dtype=np.int64)  # places in the cube and normals in units, count
        self._waiting: list[tuple[Integers, Integers]] = []
        self._adding = threading.Lock()

    def add(self, cloud: Cloud) -> None:
        """Add the points of `cloud`; may be called from any thread."""
        thin = self._summed(cloud)
        with self._adding:
            self._waiting.append(thin)
            # Joining only when as many wait as were joined before limits how often each point is joined.
            if sum(len(keys) for keys, _ in self._waiting) >= max(self._fewest_waiting, len(self._keys)):
                self._join()

    def add_sums(self, sums: Sums) -> None:
        """Add what another one has joined, with cubes of the same side."""
        self._waiting.append((sums.keys, sums.sums))

    def sums(self) -> Sums:
        """Return what `add_sums` takes."""
        self._join()
        return Sums(self._keys, self._sums)

    def cloud(self) -> Cloud:
        """Return the mean of each cube, in spatial order, without cubes of contradicting normals."""
        self._join()
        means = self._sums[:, :6] / (self._sums[:, 6:] * float(_UNITS))
        lengths = np.linalg.norm(means[:, 3:], axis=1)
        agreed = lengths > _SHORTEST_NORMAL
        cubes = np.stack(np.unravel_index(self._keys[agreed], _CELLS), axis=1) - _CELLS[0] // 2
        return Cloud((cubes + means[agreed, :3]) * self._cell, means[agreed, 3:] / lengths[agreed][:, None])

    def _summed(self, cloud: Cloud) -> tuple[Integers, Integers]:
        places = cloud.points / self._cell
        corners = np.floor(places)
        inside = (np.abs(corners + 0.5) < _CELLS[0] // 2).all(axis=1)  # farther points are not part of the scene
        cells = corners[inside].astype(np.int64) + _CELLS[0] // 2
        values = np.ones((len(cells), 7), dtype=np.int64)
        values[:, :3] = np.rint((places[inside] - corners[inside]) * _UNITS)
        values[:, 3:6] = np.rint(cloud.normals[inside] * _UNITS)
        return _sum_by_key(np.ravel_multi_index(tuple(cells.T), _CELLS), values)

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
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    firsts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: len(keys)])
    # The product of a sparse matrix takes half the time of `np.add.reduceat`.
    rows = np.append(firsts, len(keys))
    shape = (len(firsts), len(keys))
    return keys[firsts], sparse.csr_array((np.ones(len(keys), np.int64), order, rows), shape) @ values
