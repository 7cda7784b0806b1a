"""Labelling: chooses one photo for each face, so that the texture has patches of single photos, without ghosts.

A good photo for a face sees it well and in focus, and agrees with other photos about its colour (the check of Waechter
et al. 2014, "Let there be color!"). Neighbouring faces prefer the same photo (the model of Lempitsky and Ivanov 2007,
"Seamless mosaicing of image-based texture maps"). Belief propagation finds the labels (Felzenszwalb and Huttenlocher
2006, "Efficient belief propagation for early vision").
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import trimesh
from scipy import sparse

from reconstruction_operator.models.photogrammetry.arrays import Integers, Mask, Singles
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh

_UNSEEN_COST = np.float32(10.0)  # more than any neighbourhood can save
_SEAM_COST = np.float32(0.25)  # of an edge between two photos; the best photo of a face costs 0, the worst 1
_DISAGREEMENT_COST = np.float32(1.0)
_DIFFERENT = 40.0  # difference from the median of all photos with the full cost, in levels of 255
_WITNESSES = 3  # minimum number of photos that see a face for a meaningful median
_ROUNDS = 20
_DAMPING = np.float32(0.5)  # of the messages, which would oscillate in loops


@dataclass(frozen=True, eq=False, slots=True)
class Labels:
    """The photos of each face."""

    face: Integers  # (faces,): the photo of each face; -1: no photo sees it
    whole: Mask  # (faces,): whether that photo sees all its corners
    shares: Singles  # (vertices, views): the share of each photo among the faces around a vertex
    uses: Mask  # (faces, views): the photo of the face, and those of touching faces if they see it


def choose(mesh: Mesh, weights: Singles, colours: Singles) -> Labels:
    """Return the labels of the faces of `mesh`.

    `weights` (vertices, views) state how well the views show the vertices (0: not at all), `colours` (vertices, views,
    3) in which colours.
    """
    corners = weights[mesh.faces]
    sees = corners.min(axis=1)
    half_hidden = ~sees.any(axis=1)  # for such a face, a view that sees a part of it is better than none
    sees[half_hidden] = corners[half_hidden].mean(axis=1)
    costs = _costs(sees, sum(colours[corner] for corner in mesh.faces.T) / np.float32(3))
    face = propagated(costs, trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).face_adjacency)
    face[sees[np.arange(len(face)), face] == 0] = -1
    return Labels(face, ~half_hidden & (face >= 0), *_around(mesh, face, sees > 0))


def _costs(sees: Singles, colours: Singles) -> Singles:
    """(faces, views): the cost of each photo for each face; `colours` (faces, views, 3)."""
    seen = sees > 0
    best = np.maximum(sees.max(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    costs = 1.0 - np.sqrt(sees / best)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a face that no photo sees has no median
        middle = np.nanmedian(np.where(seen[:, :, None], colours, np.nan), axis=1, keepdims=True)
    distance = np.abs(colours - middle).max(axis=2)
    enough = seen.sum(axis=1, keepdims=True) >= _WITNESSES
    costs += np.where(enough & seen, np.minimum(distance / _DIFFERENT, 1.0) * _DISAGREEMENT_COST, 0.0)
    return np.asarray(np.where(seen, costs, _UNSEEN_COST), dtype=np.float32)


def propagated(costs: Singles, pairs: Integers) -> Integers:
    """(n,): a label for each node, with low `costs` (n, labels) and few different labels in `pairs` of nodes (m, 2)."""
    start = np.concatenate([pairs[:, 0], pairs[:, 1]])
    end = np.concatenate([pairs[:, 1], pairs[:, 0]])
    back = np.concatenate([np.arange(len(pairs)) + len(pairs), np.arange(len(pairs))])
    ones = np.ones(len(end), np.float32)
    gather = sparse.csr_matrix((ones, (end, np.arange(len(end)))), shape=(len(costs), len(end)))
    messages = np.zeros((len(end), costs.shape[1]), np.float32)
    for _ in range(_ROUNDS):
        sent = (costs + gather @ messages)[start] - messages[back]
        sent -= sent.min(axis=1, keepdims=True)
        np.minimum(sent, _SEAM_COST, out=sent)
        messages += (sent - messages) * _DAMPING
    labels: Integers = (costs + gather @ messages).argmin(axis=1)
    return labels


def _around(mesh: Mesh, face: Integers, seen: Mask) -> tuple[Singles, Mask]:
    """Return `shares` and `uses` of `Labels`."""
    labelled = np.flatnonzero(face >= 0)
    corners = mesh.faces[labelled].ravel()
    shape = (len(mesh.vertices), seen.shape[1])
    ones = np.ones(len(corners), np.float32)
    counts = sparse.csr_matrix((ones, (corners, np.repeat(face[labelled], 3))), shape=shape).toarray()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
    return shares, (shares > 0)[mesh.faces].any(axis=1) & seen
