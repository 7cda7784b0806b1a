"""Mesh clean-up: removes surface without points, surface that the photos contradict, and islands; smooths, and reduces
triangles.

The fit of the surface closes gaps: sheets between roofs and chimneys, where photos show the sky; the floor of a
balcony, which no photo shows.
"""

from __future__ import annotations

from collections.abc import Sequence

import fast_simplification
import numpy as np
from scipy import sparse
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from reconstruction_operator.models.photogrammetry.arrays import Doubles, Indices, Integers, Mask
from reconstruction_operator.models.photogrammetry.dense.views import View
from reconstruction_operator.models.photogrammetry.surface.meshes import Caster, Mesh, extents, whole_faces

_DEEPEST = 0.02  # maximum depth of uneven ground, as a share of the diagonal
_SMALLEST_ISLAND = 0.02  # minimum number of faces, relative to the largest piece
_REACH_CELLS = 3.0  # maximum distance of the surface from the nearest point, as a multiple of the points' spacing
_RIM_CELLS = 1.5  # the same for surface at the border, where the spacing is measured around it
_AROUND_POINTS = 10  # neighbours of a point by which the spacing around it is measured
_FARTHEST_CELLS = 12.0  # the same in closed notches and holes
_NOTCH_RINGS = 6  # notches and holes up to twice as many edges wide are closed
_SPIKE_RINGS = 3  # spikes up to twice as many edges wide are cut
_LARGEST_HOLE = 0.1  # maximum area, as a share of the surface; vertices are few far from points
_LARGEST_INVENTED = 0.01  # the same of surface that no photo shows
_GRAZING_COSINE = 0.15  # minimum; silhouettes are uncertain by a pixel
_DOUBTFUL_COSINE = 0.5  # the same for surface without points: its depth may be wrong
_FEWEST_BLANK = 2  # photos with a blank area at the face
_LEAST_BLANK_SHARE = 0.2  # of the photos that would show the face: a plain wall may look like sky in some
_MAJORITY = 0.5  # minimum share among the faces around a face
_MARGIN_PX = 1  # by which a face must be inside a blank area
# Taubin 1995, "A signal processing approach to fair surface design": a step inwards and one outwards remove noise and
# keep the volume.
_TAUBIN_SHRINK = 0.5
_TAUBIN_GROW = -0.53


def without_extrapolation(mesh: Mesh, points: Doubles, spacing: float | Doubles) -> Mesh:
    """Remove the extrapolated surface, which is far from all `points`.

    `spacing` is that of the points, overall or at each vertex.

    Small holes inside the surface stay closed; notches and spikes at the border are removed.
    """
    spacing = np.asarray(spacing)
    distances, _ = cKDTree(points).query(mesh.vertices, distance_upper_bound=_FARTHEST_CELLS * float(spacing.max()))
    near = distances < _REACH_CELLS * spacing
    adjacency = _adjacency(mesh)
    border = _on_border(mesh)
    # Morphological closing removes notches. It also shrinks from the border, which would grow otherwise.
    near |= ~_grown(~_grown(near, adjacency, _NOTCH_RINGS) | border, adjacency, _NOTCH_RINGS)
    near &= distances < _FARTHEST_CELLS * spacing  # edges are long far from points
    near = _grown(~_grown(~near, adjacency, _SPIKE_RINGS), adjacency, _SPIKE_RINGS)
    return without_weak(mesh, ~whole_faces(mesh, near))


def rim(mesh: Mesh, points: Doubles, spacing: float | Doubles) -> Mask:
    """(m,): the faces at the border that no point supports: the fit continues the surface beyond the outermost points.

    `spacing` is that of the points, overall or at each face. Pieces inside the surface are not part of the rim.
    """
    tree = cKDTree(points)
    middles = mesh.middles()
    distances, nearest = tree.query(middles)
    unsupported = distances > _RIM_CELLS * np.asarray(spacing)
    farthest = tree.query(points[nearest[unsupported]], k=_AROUND_POINTS + 1)[0][:, -1]
    around = farthest * np.sqrt(np.pi / _AROUND_POINTS)  # of as many points, evenly on a disc
    unsupported[unsupported] = distances[unsupported] > _RIM_CELLS * around
    unsupported = _majority(mesh, unsupported)
    _, labels = _pieces(Mesh(mesh.vertices, mesh.faces[unsupported]))
    piece = labels[mesh.faces[:, 0]]
    at_border = np.zeros(int(labels.max()) + 1, dtype=np.bool_)
    at_border[labels[_on_border(mesh)]] = True
    return np.asarray(unsupported & at_border[piece])


def far_from(points: Doubles, places: Doubles, spacing: float | Doubles) -> Mask:
    """(m,): which of `places` (m, 3) are far from all `points`.

    `spacing` is that of the points, overall or at each place.
    """
    reach = _REACH_CELLS * np.asarray(spacing)
    distances, _ = cKDTree(points).query(places, distance_upper_bound=float(reach.max()))
    return np.asarray(distances >= reach)


def without_weak(mesh: Mesh, weak: Mask, largest: float = _LARGEST_HOLE) -> Mesh:
    """Remove the connected pieces of `weak` faces (m,) that are large or touch the border of the surface.

    `largest` is their maximum area, as a share of the surface.
    """
    count, labels = _pieces(Mesh(mesh.vertices, mesh.faces[weak]))
    piece, areas = labels[mesh.faces[:, 0]], mesh.areas()
    gone = np.bincount(piece, areas * weak, count) > largest * areas.sum()
    gone[labels[_on_border(mesh)]] = True
    return mesh.with_faces(~(weak & gone[piece]))


def without_contradictions(mesh: Mesh, far: Mask, views: Sequence[View]) -> tuple[Mesh, Mask]:
    """Return the faces of `mesh` that may exist, and which of them are invented: neither points nor photos show them.

    `far` (m,): no point is near the face.
    """
    suspected = np.zeros(len(mesh.vertices), dtype=np.int64)
    for view in views:
        if view.mask is not None:
            inside, pixels = _inside(view, mesh.vertices)
            suspected[inside] += view.blank(pixels, _MARGIN_PX)
    doubted = np.flatnonzero(far | (suspected >= _FEWEST_BLANK)[mesh.faces].any(axis=1))
    part = Mesh(mesh.vertices, mesh.faces[doubted])
    caster = Caster(mesh)
    middles = part.middles()
    normals = part.face_normals()
    least = np.where(far[doubted], _DOUBTFUL_COSINE, _GRAZING_COSINE)
    blank, seen, seen_blank = np.zeros((3, len(far)), dtype=np.int64)
    for view in views:
        inside, pixels = _inside(view, middles)
        faces, is_blank = doubted[inside], view.blank(pixels, _MARGIN_PX)
        blank[faces] += is_blank
        to_camera = view.camera.centre - middles[inside]
        cosine = (to_camera * normals[inside]).sum(axis=1) / np.linalg.norm(to_camera, axis=1)
        open_to = cosine > least[inside]
        steep = inside[open_to]
        open_to[open_to] = caster.sees(middles[steep], normals[steep], view.camera.centre)
        seen[faces] += open_to
        seen_blank[faces] += open_to & is_blank
    # Nothing is between a camera and the sky. But a mask may hide what is in front of the object: then the points
    # decide.
    contradicted = far & (blank >= _FEWEST_BLANK)
    contradicted |= (seen_blank >= _FEWEST_BLANK) & (seen_blank >= _LEAST_BLANK_SHARE * seen)
    kept = ~_majority(mesh, contradicted)
    return mesh.with_faces(kept), (far & (seen == seen_blank))[kept]


def without_invented(mesh: Mesh, invented: Mask) -> Mesh:
    """Remove the pieces of `invented` faces (m,) that touch the border or are not small."""
    return without_weak(mesh, invented, _LARGEST_INVENTED)


def _majority(mesh: Mesh, chosen: Mask) -> Mask:
    """(m,): the faces around which most faces are `chosen`: its border becomes smooth, and single faces go."""
    corners = mesh.faces.ravel()
    count = len(mesh.vertices)
    around = np.bincount(corners, np.repeat(chosen, 3), count) / np.maximum(np.bincount(corners, minlength=count), 1)
    return np.asarray(around[mesh.faces].mean(axis=1) > _MAJORITY)


def _inside(view: View, points: Doubles) -> tuple[Integers, Doubles]:
    """Return the indices of those of `points` (n, 3) that are inside the photo, and their pixels."""
    pixels, depth = view.camera.project(points)
    size = np.array([view.camera.width, view.camera.height])
    inside = np.flatnonzero((depth > 0) & ((pixels >= 0) & (pixels <= size - 1)).all(axis=1))
    return inside, pixels[inside]


def _grown(mask: Mask, adjacency: sparse.csr_matrix, rings: int) -> Mask:
    """Return `mask` (vertices) and all vertices within `rings` edges of it."""
    for _ in range(rings):
        mask = mask | (adjacency @ mask.astype(np.float32) > 0)
    return mask


def above(mesh: Mesh, normal: Doubles, height: float) -> Mesh:
    """Remove what is clearly below the ground, the plane `normal @ point == height`."""
    deepest = height - _DEEPEST * float(np.linalg.norm(extents(mesh.vertices)))
    return without_islands(mesh.with_faces(whole_faces(mesh, mesh.vertices @ normal >= deepest)))


def without_islands(mesh: Mesh) -> Mesh:
    """Remove connected pieces that are tiny compared with the largest."""
    if len(mesh.faces) == 0:
        return mesh
    _, labels = _pieces(mesh)
    piece = labels[mesh.faces[:, 0]]
    sizes = np.bincount(piece)
    return mesh.with_faces(sizes[piece] >= _SMALLEST_ISLAND * sizes.max())


def smoothed(mesh: Mesh, rounds: int) -> Mesh:
    """Return the mesh after Taubin smoothing; border vertices do not move."""
    average = average_of_neighbours(mesh)
    free = ~_on_border(mesh)[:, None]
    vertices = mesh.vertices.copy()
    for _ in range(rounds):
        for factor in (_TAUBIN_SHRINK, _TAUBIN_GROW):
            vertices += np.where(free, factor * (average @ vertices - vertices), 0.0)
    return Mesh(vertices, mesh.faces)


def with_smooth_border(mesh: Mesh) -> Mesh:
    """Return the mesh with each vertex of the border halfway to the middle of its neighbours along the border."""
    edges = _edge_counts(mesh).tocoo()
    single = edges.data == 1.0
    border = _graph(mesh, edges.row[single], edges.col[single])
    border = border + border.T
    neighbours = np.asarray(border.sum(axis=1), dtype=np.float64).ravel()[:, None]
    middle = (border @ mesh.vertices) / np.maximum(neighbours, 1.0)
    return Mesh(np.where(neighbours > 0, (mesh.vertices + middle) / 2, mesh.vertices), mesh.faces)


def average_of_neighbours(mesh: Mesh) -> sparse.csr_matrix:
    """(n, n): what turns a value at each vertex into the mean of its neighbours' values."""
    adjacency = _adjacency(mesh)
    neighbours = np.maximum(np.asarray(adjacency.sum(axis=1), dtype=np.float64).ravel(), 1.0)
    return sparse.diags(1.0 / neighbours) @ adjacency


def decimated(mesh: Mesh, faces: int) -> Mesh:
    """Reduce to about `faces` triangles (Garland and Heckbert 1997, "Surface simplification using quadric error
    metrics").
    """
    if len(mesh.faces) <= faces:
        return mesh
    vertices, triangles = fast_simplification.simplify(
        mesh.vertices.astype(np.float32), mesh.faces.astype(np.int32), target_count=faces
    )
    reduced = Mesh(np.asarray(vertices, dtype=np.float64), np.asarray(triangles, dtype=np.int64))
    first, second, third = reduced.faces.T
    return reduced.with_faces((first != second) & (second != third) & (third != first))


def _pieces(mesh: Mesh) -> tuple[int, Indices]:
    """Return the number of connected pieces, and the piece (n,) of each vertex; a vertex without a face is a piece."""
    first, second, third = mesh.faces.T
    count, labels = csgraph.connected_components(
        _graph(mesh, np.append(first, first), np.append(second, third)), directed=False
    )
    return count, labels


def _adjacency(mesh: Mesh) -> sparse.csr_matrix:
    """(n, n): 1 for two vertices with an edge between them."""
    adjacency = _edge_counts(mesh)
    adjacency = adjacency + adjacency.T
    adjacency.data[:] = 1.0
    return adjacency


def _on_border(mesh: Mesh) -> Mask:
    """(n,): the vertices of edges that belong to only one face."""
    edges = _edge_counts(mesh).tocoo()
    single = edges.data == 1.0
    border = np.zeros(len(mesh.vertices), dtype=np.bool_)
    border[edges.row[single]] = True
    border[edges.col[single]] = True
    return border


def _edge_counts(mesh: Mesh) -> sparse.csr_matrix:
    """(n, n): the number of faces of each edge, in the upper triangle."""
    first = mesh.faces.T.ravel()
    second = mesh.faces[:, [1, 2, 0]].T.ravel()
    return _graph(mesh, np.minimum(first, second), np.maximum(first, second))


def _graph(mesh: Mesh, rows: Integers, columns: Integers) -> sparse.csr_matrix:
    """(n, n): how often each pair of vertices is given."""
    count = len(mesh.vertices)
    ones = np.ones(len(rows), dtype=np.float32)
    return sparse.csr_matrix((ones, (rows.astype(np.int32), columns.astype(np.int32))), shape=(count, count))
