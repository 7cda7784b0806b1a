"""Parallax: checks whether photos were taken from different places. Without parallax they show no depth.

Two photos from one place differ by a homography H = K R K^-1 with a rotation R (Hartley and Zisserman 2004, section 8.4). Two photos of a
plane from different places also differ by a homography, but of another form.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from reconstruction_operator.models.photogrammetry.arrays import Doubles
from reconstruction_operator.models.photogrammetry.sparse.cameras import pinhole
from reconstruction_operator.models.photogrammetry.sparse.colmap import pycolmap
from reconstruction_operator.models.photogrammetry.sparse.mapping import SparseModel

_FEWEST_MATCHES = 30  # minimum number of verified matches of a pair; fewer do not determine a homography
_MOST_STRETCH = 0.02  # maximum stretch between photos from one place; about the step aside, relative to the distance
_FOCALS = np.geomspace(0.7, 1.6, 15)  # multiples of the longer side, tried for cameras without a focal length in EXIF
_HOMOGRAPHIES = (
    pycolmap.TwoViewGeometryConfiguration.PLANAR,
    pycolmap.TwoViewGeometryConfiguration.PANORAMIC,
    pycolmap.TwoViewGeometryConfiguration.PLANAR_OR_PANORAMIC,
)


def share_of_pairs(database: Path) -> float:
    """Return the share of the matched pairs in `database` that show parallax; 1 without pairs."""
    with pycolmap.Database.open(database) as opened:
        cameras = {image.image_id: opened.read_camera(image.camera_id) for image in opened.read_all_images()}
        names, geometries = opened.read_two_view_geometries()
    pairs = []
    for name, geometry in zip(names, geometries, strict=True):
        if len(geometry.inlier_matches) >= _FEWEST_MATCHES:
            first, second = pycolmap.pair_id_to_image_pair(name)
            pairs.append((cameras[first], cameras[second], geometry))
    flat = [
        (first, second, geometry.H)
        for first, second, geometry in pairs
        if geometry.config in _HOMOGRAPHIES and geometry.H is not None
    ]
    if not flat:
        return 1.0
    has_focal_lengths = all(camera.has_prior_focal_length for first, second, _ in flat for camera in (first, second))
    scales = (None,) if has_focal_lengths else tuple(_FOCALS)
    from_one_place = max(sum(_stretch(*pair, scale) <= _MOST_STRETCH for pair in flat) for scale in scales)
    return 1.0 - from_one_place / len(pairs)


def median_angle_deg(model: SparseModel) -> float:
    """Return the median, over the sparse points, of the angle between the lines of sight to a point."""
    sums, sights = np.zeros_like(model.points), []
    for photo in model.photos:
        towards = model.points[photo.seen] - photo.camera.centre
        sights.append((photo.seen, towards / np.linalg.norm(towards, axis=1, keepdims=True)))
        sums[photo.seen] += sights[-1][1]
    middle = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), np.finfo(float).tiny)
    widest = np.zeros(len(model.points))
    for seen, sight in sights:
        aside = np.degrees(np.arccos(np.clip((sight * middle[seen]).sum(axis=1), -1.0, 1.0)))
        widest[seen] = np.maximum(widest[seen], 2 * aside)
    return float(np.median(widest))


def _stretch(first: pycolmap.Camera, second: pycolmap.Camera, homography: Doubles, scale: float | None) -> float:
    """Return how far K^-1 H K is from a rotation: its largest relative stretch. `scale`: focal length / longer side."""
    turned = np.linalg.inv(_intrinsics(second, scale)) @ homography @ _intrinsics(first, scale)
    sizes = np.linalg.svd(turned, compute_uv=False)
    relative = sizes / max(float(np.cbrt(sizes.prod())), np.finfo(float).tiny)
    return float(np.abs(relative - 1.0).max())


def _intrinsics(camera: pycolmap.Camera, scale: float | None) -> Doubles:
    focal = camera.params[0] if scale is None else scale * max(camera.width, camera.height)
    return pinhole(focal, camera.params[1], camera.params[2])
