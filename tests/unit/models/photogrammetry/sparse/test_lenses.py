"""Lenses: recovered from the photos that share them, and left alone where they are good."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.sparse import lenses, mapping
from reconstruction_operator.models.photogrammetry.sparse.cameras import Radial, looking_at
from reconstruction_operator.models.photogrammetry.sparse.colmap import pycolmap
from reconstruction_operator.models.photogrammetry.sparse.mapping import SparseModel

WIDTH, CENTRE = 1024, (512.0, 384.0)  # px
NEAR, FAR = (530.0, 375.0), (550.0, 384.0)  # 2 % and 3.7 % of the width away


def off_centre(photos: int, principal_point: tuple[float, float] = NEAR, *, cropped: int = 0) -> SparseModel:
    """The true poses and points of a scene, seen with the noise of features; the principal points are at the centre.

    The left tenth of the last photo is cut off if `cropped`, so that it has a camera of its own.
    """
    pycolmap.set_random_seed(1)
    options = pycolmap.SyntheticDatasetOptions()
    noise = pycolmap.SyntheticNoiseOptions()
    options.num_rigs, options.num_frames_per_rig, options.num_points3D = 1 + (cropped > 0), photos, 300
    options.camera_params = [1280.0, *principal_point, 0.05]
    noise.point2D_stddev = 0.3
    reconstruction = pycolmap.synthesize_dataset(options)
    pycolmap.synthesize_noise(noise, reconstruction)
    for image in sorted(reconstruction.images.values(), key=lambda image: image.image_id)[photos + 1 :]:
        reconstruction.deregister_frame(image.frame_id)
    for number, camera in reconstruction.cameras.items():
        camera.params = [1280.0, CENTRE[0] + (number > 1) * cropped, CENTRE[1], 0.05]
    reconstruction.update_point_3d_errors()
    return mapping.sparse_model(reconstruction)


def principal_point(sparse: SparseModel, photo: int = 0) -> list[float]:
    """In COLMAP's convention."""
    return [value + 0.5 for value in sparse.photos[photo].camera.lens[1:]]


def test_the_principal_point_that_eight_photos_share_is_recovered_with_their_poses() -> None:
    before = off_centre(8)
    after = lenses.with_principal_points(before)
    assert principal_point(before) == list(CENTRE)
    assert principal_point(after) == pytest.approx(NEAR, abs=2.0)
    assert after.reprojection_error_px < 0.5 < before.reprojection_error_px


def test_a_cropped_photo_beside_them_is_recovered_too() -> None:
    after = lenses.with_principal_points(off_centre(8, cropped=70))
    assert principal_point(after, photo=8) == pytest.approx(NEAR, abs=4.0)


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(off_centre(7), id="seven-photos"),
        pytest.param(off_centre(8, FAR), id="moved-too-far"),
        pytest.param(off_centre(8, cropped=300), id="cropped-photo-moved-too-far"),
        pytest.param(replace(off_centre(8), reprojection_error_px=0.01), id="error-does-not-fall"),
    ],
)
def test_a_model_without_a_better_principal_point_is_left_unchanged(before: SparseModel) -> None:
    assert lenses.with_principal_points(before) is before


FOCAL, FIRST, SECOND = 500.0, -0.22, 0.05  # px, and the coefficients of a wide lens


def wide(photos: int, *, second: float = SECOND) -> SparseModel:
    """Photos of a cloud from nearby, with the noise of features, as mapping finds them by one coefficient alone."""
    chance = np.random.default_rng(1)
    model = pycolmap.Reconstruction()
    model.add_camera_with_trivial_rig(
        pycolmap.Camera(model="SIMPLE_RADIAL", width=1024, height=768, params=[FOCAL, *CENTRE, FIRST], camera_id=1)
    )
    points = chance.uniform(-1.0, 1.0, (600, 3))
    tracks = [pycolmap.Track() for _ in points]
    for number in range(1, photos + 1):
        turn = 0.2 * number
        eye = 2.2 * np.array([np.sin(turn), 0.3 * np.sin(3 * turn), np.cos(turn)])
        pose = looking_at(eye, np.zeros(3), np.array([0.0, 1.0, 0.0]), focal=FOCAL, size=768)
        in_camera = points @ pose.rotation.T + pose.translation
        shown = Radial(FIRST, second).bent(in_camera[:, :2] / in_camera[:, 2:]) * FOCAL + CENTRE
        shown += chance.normal(0.0, 0.3, shown.shape)
        seen = np.flatnonzero(((shown > 0.0) & (shown < [1024.0, 768.0])).all(axis=1))
        image = pycolmap.Image(name=f"{number}.jpg", keypoints=shown[seen], camera_id=1, image_id=number)
        model.add_image_with_trivial_frame(image, pycolmap.Rigid3d(np.column_stack([pose.rotation, pose.translation])))
        for place, point in enumerate(seen):
            tracks[point].add_element(number, place)
    for point, track in zip(points, tracks, strict=True):
        if track.length() > 1:
            model.add_point3D(point, track, np.zeros(3, np.uint8))
    options = pycolmap.BundleAdjustmentOptions()
    options.print_summary = False
    pycolmap.bundle_adjustment(model, options)
    model.update_point_3d_errors()
    return mapping.sparse_model(model)


def test_a_wide_lens_gets_a_second_coefficient() -> None:
    before = wide(8)
    after = lenses.with_second_coefficients(before)
    assert before.photos[0].radial.second == 0.0
    assert after.photos[0].radial.first == pytest.approx(FIRST, abs=0.01)
    assert after.photos[0].radial.second == pytest.approx(SECOND, abs=0.01)
    assert after.photos[0].camera.lens[0] == pytest.approx(FOCAL, rel=0.005)
    assert after.reprojection_error_px < 0.9 * before.reprojection_error_px
    assert after.photos[0].errors(after.points).mean() == pytest.approx(after.reprojection_error_px, rel=0.2)


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(wide(7), id="seven-photos"),
        pytest.param(wide(8, second=0.0), id="one-coefficient-is-enough"),
        pytest.param(replace(wide(8), reprojection_error_px=0.01), id="error-does-not-fall"),
    ],
)
def test_a_lens_that_needs_no_second_coefficient_or_cannot_be_known_keeps_one(before: SparseModel) -> None:
    assert lenses.with_second_coefficients(before) is before


def test_a_lens_that_would_fold_the_photo_is_not_plausible() -> None:
    def camera(*radial: float) -> pycolmap.Camera:
        return pycolmap.Camera(model="RADIAL", width=1024, height=768, params=[500.0, *CENTRE, *radial])

    assert lenses._is_plausible(camera(-0.22, 0.05))
    assert not lenses._is_plausible(camera(-0.22, -0.1))


def test_a_ray_is_bent_by_both_coefficients() -> None:
    straight = np.array([[0.5, 0.0], [0.0, -1.0]])
    assert Radial(0.2, 0.1).bent(straight) == pytest.approx(np.array([[0.528125, 0.0], [0.0, -1.3]]))
    assert Radial(0.2, 0.1).bent(10 * straight, focal=10.0) == pytest.approx(np.array([[5.28125, 0.0], [0.0, -13.0]]))
