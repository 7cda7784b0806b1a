"""Trimming: keeps the part of a fitted surface that rests on points and photos, and names what is closed without
points.
"""

from __future__ import annotations

from collections.abc import Sequence

from reconstruction_operator.models.interface import ModelFailure
from reconstruction_operator.models.photogrammetry import quality_gates
from reconstruction_operator.models.photogrammetry.arrays import Doubles, Mask
from reconstruction_operator.models.photogrammetry.dense.views import View
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.surface import cleanup
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh, whole_faces
from reconstruction_operator.models.photogrammetry.surface.regions import Region
from reconstruction_operator.models.photogrammetry.surface.surface import Samples

_SMOOTHING_ROUNDS = 3


def trimmed(rough: Mesh, samples: Samples, region: Region, views: Sequence[View], progress: StageProgress) -> Mesh:
    """Return the part of `rough` that rests on the points and the photos and is inside `region`, smoothed.

    Raises ModelFailure (NO_DENSE_SURFACE) if too little is left.
    """
    points = samples.points
    progress(0.0, f"cleaning {len(rough.faces)} faces")
    mesh = cleanup.without_extrapolation(rough, points, _spacing(rough.vertices, samples, region))
    progress(0.45, f"{len(mesh.faces)} faces rest on points")
    mesh = mesh.with_faces(whole_faces(mesh, region.contains(mesh.vertices)))
    if len(mesh.faces) > 0:
        far = cleanup.far_from(points, mesh.middles(), _spacing(mesh.middles(), samples, region))
        mesh, invented = cleanup.without_contradictions(mesh, far, views)
        kept = ~cleanup.rim(mesh, points, _spacing(mesh.middles(), samples, region))
        # After the rim, which would else grow around each gap that this opens.
        mesh = cleanup.without_islands(cleanup.without_invented(mesh.with_faces(kept), invented[kept]))
    progress(0.85, f"{len(mesh.faces)} faces without islands")
    if len(mesh.faces) < quality_gates.FACES.limit:
        raise ModelFailure("NO_DENSE_SURFACE", f"only {len(mesh.faces)} faces of the surface rest on the photos")
    mesh = cleanup.with_smooth_border(cleanup.smoothed(mesh, _SMOOTHING_ROUNDS))
    progress(1.0, f"{len(mesh.faces)} faces")
    return mesh


def closed(mesh: Mesh, samples: Samples, region: Region) -> Mask:
    """(n,): the vertices of `mesh` that no point is near: there, the fit has closed a gap."""
    return cleanup.far_from(samples.points, mesh.vertices, _spacing(mesh.vertices, samples, region))


def _spacing(places: Doubles, samples: Samples, region: Region) -> Doubles:
    """(n,): the spacing of the points at each of `places` (n, 3)."""
    return samples.cell * region.coarseness(places)
