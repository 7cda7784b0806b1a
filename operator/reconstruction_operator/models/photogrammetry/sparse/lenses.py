"""Lenses: refines what mapping takes for granted, the principal points and the form of the distortion.

Principal points, where the optical axes meet the photos, are the centres of the photos until then. A lens that is off
by a hundredth of the width shifts and turns all cameras. Distortion has one coefficient until then, in
x (1 + k1 r^2). The corners of a wide lens need a second, x (1 + k1 r^2 + k2 r^4); without it, they are off by pixels,
and the surface is bent.

Each is a bundle adjustment of the finished model, which is undone if the cameras do not get better.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from reconstruction_operator.models.photogrammetry.arrays import Doubles
from reconstruction_operator.models.photogrammetry.sparse.colmap import pycolmap
from reconstruction_operator.models.photogrammetry.sparse.mapping import (
    THREADS,
    TOLERANCE,
    AlignedPhoto,
    SparseModel,
    sparse_model,
)

_FEWEST_PHOTOS = 8  # of one camera, so that they determine its lens
_FARTHEST_SHARE = 0.03  # of the width: a principal point that moves farther compensates for another error
_FARTHEST_CROPPED_SHARE = 0.25  # the same for a camera with fewer photos, which may be cropped
_LEAST_EXPLAINED = 0.01  # of the variance along the radius, by a second coefficient: then it is tried
_LEAST_FALL = 0.01  # of the reprojection error, if a second coefficient is kept
_ROUGH_TOLERANCE = (
    3e-4  # of Ceres; as true as `TOLERANCE`, for a third of the time, if the lens was nearly right before
)
_FAR = 0.9  # of the reprojection error is left at most, if it was not
_WORST_MEDIANS = 4.0  # errors of more than so many medians are wrong matches


def refined(model: SparseModel) -> SparseModel:
    """Return `model` with refined lenses, and the cameras and points that fit them; unchanged where they were good."""
    return with_second_coefficients(with_principal_points(model))


def with_principal_points(model: SparseModel) -> SparseModel:
    """Return `model` with refined principal points, cameras and points.

    It is unchanged if no camera took enough photos, a principal point moves too far, or the reprojection error does not
    fall.
    """
    before: Any = model.reconstruction
    if max(_taken(before).values()) < _FEWEST_PHOTOS:
        return model
    return _if_better(model, _adjusted(before), model.reprojection_error_px)


def with_second_coefficients(model: SparseModel) -> SparseModel:
    """Return `model` with a second coefficient of the distortion for each camera whose photos ask for it.

    It is unchanged if none does, the lens would fold the photo, a principal point moves too far, or the reprojection
    error hardly falls.
    """
    before: Any = model.reconstruction
    by_lens: dict[int, list[AlignedPhoto]] = {}
    lens_of = {image.name: image.camera_id for image in before.images.values()}
    for photo in model.photos:
        by_lens.setdefault(lens_of[photo.name], []).append(photo)
    wide = [
        lens
        for lens, photos in by_lens.items()
        if len(photos) >= _FEWEST_PHOTOS and _explained(photos, model.points) > _LEAST_EXPLAINED
    ]
    if not wide:
        return model
    start = pycolmap.Reconstruction(before)
    for number in wide:
        camera = start.cameras[number]
        params = [*camera.params, 0.0]
        camera.model = pycolmap.CameraModelId.RADIAL
        camera.params = params
    after = _adjusted(start)
    if not all(map(_is_plausible, after.cameras.values())):
        return model
    return _if_better(model, after, (1.0 - _LEAST_FALL) * model.reprojection_error_px)


def _if_better(model: SparseModel, after: Any, error_px: float) -> SparseModel:
    """Return the model `after` an adjustment, or `model`: if a principal point has moved too far, or the reprojection
    error is not below `error_px`.
    """
    before: Any = model.reconstruction
    for camera, count in _taken(before).items():
        moved = after.cameras[camera].params[1:3] - before.cameras[camera].params[1:3]
        farthest = _FARTHEST_SHARE if count >= _FEWEST_PHOTOS else _FARTHEST_CROPPED_SHARE
        if np.linalg.norm(moved) > farthest * before.cameras[camera].width:
            return model
    adjusted = sparse_model(after)
    return adjusted if adjusted.reprojection_error_px < error_px else model


def _taken(reconstruction: Any) -> Counter[int]:
    """Return the number of photos of each camera."""
    return Counter(reconstruction.images[image].camera_id for image in reconstruction.reg_image_ids())


def _explained(photos: Sequence[AlignedPhoto], points: Doubles) -> float:
    """Return the share of the variance of the errors along the radius that a second coefficient would explain.

    `photos` share a lens, and show sparse `points` (n, 3). The errors are those that fits of the focal length and of
    the first coefficient leave.
    """
    radius, error = np.concatenate([_along_radius(photo, points) for photo in photos], axis=1)
    good = np.abs(error) <= _WORST_MEDIANS * np.median(np.abs(error))
    powers = radius[good, None] ** (1, 3, 5)
    first, second = (
        ((error[good] - used @ np.linalg.lstsq(used, error[good])[0]) ** 2).sum() for used in (powers[:, :2], powers)
    )
    return float(1.0 - second / max(first, np.finfo(float).tiny))


def _along_radius(photo: AlignedPhoto, points: Doubles) -> Doubles:
    """(2, len(seen)): how far the points that the photo shows are from the optical axis, and how much farther it shows
    them; both as a multiple of the focal length.
    """
    focal, *principal = photo.camera.lens
    in_camera = points[photo.seen] @ photo.camera.rotation.T + photo.camera.translation
    straight = in_camera[:, :2] / in_camera[:, 2:]
    radius = np.linalg.norm(straight, axis=1)
    off = (photo.pixels - principal) / focal - photo.radial.bent(straight)
    return np.stack([radius, (off * straight).sum(axis=1) / np.maximum(radius, np.finfo(float).tiny)])


def _is_plausible(camera: Any) -> bool:
    """Return whether points farther from the axis are shown farther from it, up to the corners of the photo."""
    focal, *principal = camera.params[:3]
    corner = np.abs([principal, np.array([camera.width, camera.height]) - principal]).max(axis=0) / focal
    first, second = [*camera.params[3:], 0.0][:2]
    radius = np.linspace(0.0, 1.5 * float(np.linalg.norm(corner)), 100)  # of the straight ray, which bends inwards
    shown = radius * (1.0 + first * radius**2 + second * radius**4)
    inside = shown[:-1] <= np.linalg.norm(corner)
    return bool((np.diff(shown)[inside] > 0.0).all())


def _adjusted(before: Any) -> Any:
    """Return COLMAP's reconstruction `before` after the adjustment.

    Intrinsics of all cameras are free: wrong ones shift the others.
    """
    error_px = before.compute_mean_reprojection_error()
    after = _solved(before, error_px, _ROUGH_TOLERANCE)
    after.update_point_3d_errors()
    if after.compute_mean_reprojection_error() > _FAR * error_px:
        return after
    return _solved(after, error_px, TOLERANCE)


def _solved(before: Any, error_px: float, tolerance: float) -> Any:
    after = pycolmap.Reconstruction(before)
    options = pycolmap.BundleAdjustmentOptions()
    options.refine_principal_point = True
    options.print_summary = False
    # Wrong matches pull little, though mapping kept them.
    options.ceres.loss_function_type = pycolmap.LossFunctionType.CAUCHY
    options.ceres.loss_function_scale = error_px
    options.ceres.solver_options.function_tolerance = tolerance
    options.ceres.solver_options.num_threads = THREADS
    pycolmap.bundle_adjustment(after, options)  # unlike `BundleAdjuster.solve`, it releases the interpreter lock
    return after
