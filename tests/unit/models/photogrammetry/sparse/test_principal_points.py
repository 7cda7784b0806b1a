"""Principal points of a computed scene: refined to the true ones, or left where a rule undoes it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from reconstruction_operator.models.photogrammetry.sparse import mapping, principal_points
from reconstruction_operator.models.photogrammetry.sparse.colmap import pycolmap
from reconstruction_operator.models.photogrammetry.sparse.mapping import SparseModel

WIDTH, CENTRE = 1024, (512.0, 384.0)  # px
NEAR, FAR = (530.0, 375.0), (550.0, 384.0)  # 2 % and 3.7 % of the width away


def model(photos: int, principal_point: tuple[float, float] = NEAR, *, cropped: int = 0) -> SparseModel:
    """The true poses and points of a scene, seen with the noise of features; the principal points are at the centre.

    The left tenth of the last photo is cut off if `cropped`, so that it has a camera of its own.
    """
    pycolmap.set_random_seed(1)
    options, noise = pycolmap.SyntheticDatasetOptions(), pycolmap.SyntheticNoiseOptions()
    options.num_rigs, options.num_frames_per_rig, options.num_points3D = 1 + (cropped > 0), photos, 300
    options.camera_params = [1280.0, *principal_point, 0.05]
    noise.point2D_stddev = 0.3
    made = pycolmap.synthesize_dataset(options)
    pycolmap.synthesize_noise(noise, made)
    for image in sorted(made.images.values(), key=lambda image: image.image_id)[photos + 1 :]:
        made.deregister_frame(image.frame_id)
    for number, camera in made.cameras.items():
        camera.params = [1280.0, CENTRE[0] + (number > 1) * cropped, CENTRE[1], 0.05]
    made.update_point_3d_errors()
    return mapping.sparse_model(made)


def principal_point(sparse: SparseModel, photo: int = 0) -> list[float]:
    """In COLMAP's convention."""
    return [value + 0.5 for value in sparse.photos[photo].camera.lens[1:]]


def test_the_principal_point_that_eight_photos_share_is_recovered_with_their_poses() -> None:
    before = model(8)
    after = principal_points.refined(before, 1)
    assert principal_point(before) == list(CENTRE)
    assert principal_point(after) == pytest.approx(NEAR, abs=2.0)
    assert after.reprojection_error_px < 0.5 < before.reprojection_error_px


def test_a_cropped_photo_beside_them_is_recovered_too() -> None:
    after = principal_points.refined(model(8, cropped=70), 1)
    assert principal_point(after, photo=8) == pytest.approx(NEAR, abs=4.0)


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(model(7), id="seven-photos"),
        pytest.param(model(8, FAR), id="moved-too-far"),
        pytest.param(model(8, cropped=300), id="cropped-photo-moved-too-far"),
        pytest.param(replace(model(8), reprojection_error_px=0.01), id="error-does-not-fall"),
    ],
)
def test_a_model_without_a_better_principal_point_is_left_unchanged(before: SparseModel) -> None:
    assert principal_points.refined(before, 1) is before
