"""Camera plan: draws the cameras around the model from above, as SVG."""

from __future__ import annotations

from html import escape

import cv2
import numpy as np

from reconstruction_operator.models.photogrammetry.arrays import Doubles
from reconstruction_operator.models.photogrammetry.sparse.mapping import AlignedPhoto, SparseModel
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh

_ACROSS = 1000.0  # units of the drawing
_MARGIN = 60.0
_SIGHT = 55.0  # length of a camera's field of view
_TEXT = 22.0
_DOWNWARDS = 0.2  # minimum level part of the line of sight; with less, the camera looks up or down


def drawing(model: SparseModel, mesh: Mesh) -> str:
    """Draw the outline of `mesh`, and each photo of the placed `model` with its number. The front of the model is at the bottom."""
    footprint = mesh.vertices[:, [0, 2]]
    centres = np.stack([photo.camera.centre[[0, 2]] for photo in model.photos])
    everything = np.concatenate([footprint, centres])
    low, high = everything.min(axis=0), everything.max(axis=0)
    scale = (_ACROSS - 2 * _MARGIN) / max(float((high - low).max()), np.finfo(float).tiny)

    def placed(points: Doubles) -> Doubles:
        moved: Doubles = (points - low) * scale + _MARGIN
        return moved

    outline = cv2.convexHull(placed(footprint).astype(np.float32)).reshape(-1, 2)
    width, height = (high - low) * scale + 2 * _MARGIN
    cameras = "\n".join(
        _camera(number, photo, place)
        for number, (photo, place) in enumerate(zip(model.photos, placed(centres), strict=True), start=1)
    )
    return (
        f'<svg class="plan" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'aria-label="{len(model.photos)} cameras around the model, from above">\n'
        f'<polygon class="model" points="{_points(outline.astype(np.float64))}"/>\n{cameras}\n</svg>'
    )


def _camera(number: int, photo: AlignedPhoto, place: Doubles) -> str:
    sight = photo.camera.rotation[2][[0, 2]]
    shape = f'<circle class="camera" cx="{place[0]:.0f}" cy="{place[1]:.0f}" r="{_SIGHT / 4:.0f}"/>'
    behind = np.array([0.0, 0.0])
    length = float(np.linalg.norm(sight))
    if length > _DOWNWARDS:
        ahead = sight / length * _SIGHT
        aside = np.array([-ahead[1], ahead[0]]) * photo.camera.width / 2 / photo.camera.lens[0]
        corners = np.stack([place, place + ahead + aside, place + ahead - aside])
        shape = f'<polygon class="camera" points="{_points(corners)}"/>'
        behind = -ahead / _SIGHT * _TEXT
    x, y = place + behind
    return (
        f"<g><title>{number}: {escape(photo.name)}</title>{shape}"
        f'<text x="{x:.0f}" y="{y + _TEXT / 3:.0f}" font-size="{_TEXT:.0f}">{number}</text></g>'
    )


def _points(corners: Doubles) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
