"""Levelling: corrects colours by gains for the exposure of photos, and by offsets that remove steps between patches."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse import linalg

from reconstruction_operator.models.photogrammetry.arrays import Doubles, Integers, Mask, Singles
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh
from reconstruction_operator.models.photogrammetry.texture.labelling import Labels

_FEWEST_COMMON = 30  # minimum number of vertices that two photos see, for a gain between them
_SAMPLE = 4000  # maximum number of vertices; more do not change the result
_DARK, _BRIGHT = 8.0, 247.0  # range of levels; outside it, photos are clipped
_TRUST = 0.02  # weight of a gain of 1, as a share of the weight of all measurements
_LARGEST_GAIN = 2.0
_SMOOTHNESS = 0.1  # weight of smooth offsets within a patch, relative to equality at seams (Waechter et al. 2014)
_REST = 1e-3  # weight of offsets of 0, so that patches without a seam have a solution
_LARGEST_OFFSET = 60.0  # levels; a larger one hides a wrong surface
_TOLERANCE = 1e-4


def gains(colours: Singles, seen: Mask) -> Singles:
    """(views, 3): factors that equalise the colours of the views; their logarithms sum to 0.

    `colours` (vertices, views, 3) is the colour of each vertex in each view, and `seen` (vertices, views) whether the
    view sees it. The gains are fitted by least squares to the median ratio of each pair of views.
    """
    step = -(-len(seen) // _SAMPLE)
    colours, seen = colours[::step], seen[::step]
    count = seen.shape[1]
    usable = seen & (colours.min(axis=2) > _DARK) & (colours.max(axis=2) < _BRIGHT)
    levels = np.log(np.maximum(colours, 1.0))
    system = np.zeros((count, count))
    right = np.zeros((count, 3))
    for first in range(count):
        for second in range(first + 1, count):
            common = np.flatnonzero(usable[:, first] & usable[:, second])
            if len(common) < _FEWEST_COMMON:
                continue
            ratio = np.median(levels[common, second] - levels[common, first], axis=0)
            weight = float(np.sqrt(len(common)))
            system[[first, second], [first, second]] += weight
            system[[first, second], [second, first]] -= weight
            right[first] += weight * ratio
            right[second] -= weight * ratio
    system += np.eye(count) * max(_TRUST * np.trace(system) / count, _REST)
    factors = np.exp(np.linalg.solve(system, right))
    return np.asarray(np.clip(factors, 1 / _LARGEST_GAIN, _LARGEST_GAIN), dtype=np.float32)


def offsets(mesh: Mesh, labels: Labels, colours: Singles) -> Singles:
    """(vertices, views, 3): what to add to the colours of each view so that seams disappear; interpolated over each
    face.

    `colours` (vertices, views, 3) is the colour of each vertex in each view, with gains. Colours become equal at seams,
    and offsets change as little as possible within a patch (Lempitsky and Ivanov 2007).
    """
    face, view = np.nonzero(labels.uses)
    corners = mesh.faces[face]
    keys = corners * labels.uses.shape[1] + view[:, None]
    distinct, numbers = np.unique(keys, return_inverse=True)
    numbers = numbers.reshape(-1, 3)
    vertex, of_view = np.divmod(distinct, labels.uses.shape[1])
    levels = colours[vertex, of_view].astype(np.float64)

    first, other = _meeting(vertex, labels.shares[vertex, of_view] > 0)
    edges = numbers[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    rows = _differences(len(distinct), first, other)
    smooth = _differences(len(distinct), edges[:, 0], edges[:, 1])
    system = rows.T @ rows + _SMOOTHNESS * (smooth.T @ smooth) + _REST * sparse.identity(len(distinct))
    right = -(rows.T @ (levels[first] - levels[other]))
    result = np.zeros(colours.shape, dtype=np.float32)
    scale = sparse.diags(1.0 / system.diagonal())
    for channel in range(3):
        solved, _ = linalg.cg(system, right[:, channel], rtol=_TOLERANCE, M=scale)
        result[vertex, of_view, channel] = np.clip(solved, -_LARGEST_OFFSET, _LARGEST_OFFSET)
    return result


def _meeting(vertex: Integers, used: Mask) -> tuple[Integers, Integers]:
    """Return pairs of unknowns of the same vertex whose photos are both used by faces around it; `vertex` is sorted."""
    candidates = np.flatnonzero(used)
    firsts, seconds = [], []
    for apart in range(1, len(candidates)):
        same = np.flatnonzero(vertex[candidates[apart:]] == vertex[candidates[:-apart]])
        if len(same) == 0:
            break
        firsts.append(candidates[same])
        seconds.append(candidates[same + apart])
    none = [np.zeros(0, dtype=np.int64)]
    return np.concatenate(firsts or none), np.concatenate(seconds or none)


def _differences(count: int, first: Integers, second: Integers) -> sparse.csr_matrix:
    """(pairs, count): a matrix whose rows are 1 at `first` and -1 at `second`."""
    rows = np.arange(len(first))
    values: Doubles = np.concatenate([np.ones(len(first)), -np.ones(len(first))])
    places = (np.concatenate([rows, rows]), np.concatenate([first, second]))
    return sparse.csr_matrix((values, places), shape=(len(first), count))
