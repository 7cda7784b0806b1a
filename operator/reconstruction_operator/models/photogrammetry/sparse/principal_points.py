"""Principal points: one more bundle adjustment of a finished model, which also refines where each optical axis meets the photo.

Until then it is the centre of the photo. A lens that is off by a hundredth of the width shifts and turns all cameras.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from reconstruction_operator.models.photogrammetry.sparse import mapping
from reconstruction_operator.models.photogrammetry.sparse.colmap import pycolmap
from reconstruction_operator.models.photogrammetry.sparse.mapping import SparseModel

_FEWEST_PHOTOS = 8  # of one camera, so that its principal point is known better than by the centre
_FARTHEST_SHARE = 0.03  # of the width: a principal point that moves farther compensates for another error
_FARTHEST_CROPPED_SHARE = 0.25  # the same for a camera with fewer photos, which may be cropped
_TOLERANCE = 1e-6  # relative fall of the cost; steps below it no longer move the cameras


def refined(model: SparseModel, threads: int) -> SparseModel:
    """Return `model` with refined cameras and points.

    It is unchanged if no camera took enough photos, a principal point moves too far, or the reprojection error does not fall.
    """
    before: Any = model.reconstruction
    taken = Counter(before.images[image].camera_id for image in before.reg_image_ids())
    if max(taken.values()) < _FEWEST_PHOTOS:
        return model
    after = _adjusted(before, threads)
    for camera, count in taken.items():
        moved = after.cameras[camera].params[1:3] - before.cameras[camera].params[1:3]
        farthest = _FARTHEST_SHARE if count >= _FEWEST_PHOTOS else _FARTHEST_CROPPED_SHARE
        if np.linalg.norm(moved) > farthest * before.cameras[camera].width:
            return model
    adjusted = mapping.sparse_model(after)
    return adjusted if adjusted.reprojection_error_px < model.reprojection_error_px else model


def _adjusted(before: Any, threads: int) -> Any:
    """Return COLMAP's reconstruction `before` after the adjustment. Intrinsics of all cameras are free: wrong ones shift the others."""
    after = pycolmap.Reconstruction(before)
    options = pycolmap.BundleAdjustmentOptions()
    options.refine_principal_point = True
    options.print_summary = False
    # Wrong matches pull little, though mapping kept them.
    options.ceres.loss_function_type = pycolmap.LossFunctionType.CAUCHY
    options.ceres.loss_function_scale = before.compute_mean_reprojection_error()
    options.ceres.solver_options.function_tolerance = _TOLERANCE
    options.ceres.solver_options.num_threads = threads
    config = pycolmap.BundleAdjustmentConfig()
    for image in after.reg_image_ids():
        config.add_image(image)
    config.fix_gauge(pycolmap.BundleAdjustmentGauge.TWO_CAMS_FROM_WORLD)
    pycolmap.create_default_bundle_adjuster(options, config, after).solve()
    after.update_point_3d_errors()
    return after
