"""Structure from motion: finds a pose for each photo, and a sparse cloud of points.

Incremental mapping aligns the photos one by one (Schoenberger and Frahm 2016, "Structure-from-motion revisited").
Global mapping aligns all at once (Pan et al. 2024, "Global structure-from-motion revisited"), and bridges weak links at
which incremental mapping stops.

Global mapping alone is not enough. On a walk straight ahead, it aligns photos whose lines of sight hardly intersect, so
that depth cannot be computed. Incremental mapping starts from two photos with clearly different viewpoints, so its
failure shows a lack of parallax.
"""

from __future__ import annotations

import enum
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reconstruction_operator.models.photogrammetry import quality_gates
from reconstruction_operator.models.photogrammetry.arrays import Doubles, Integers
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera, Radial, pinhole
from reconstruction_operator.models.photogrammetry.sparse.colmap import pycolmap

# More threads take sums in the order in which they finish: cameras would differ in their last digits from run to run
THREADS = 1
TOLERANCE = 1e-5
"""Relative fall of the cost, below which an adjustment ends; by 1e-6 cameras are no better."""

_LOCAL_TOLERANCE = 1e-3
"""The same for the adjustment of a photo's neighbourhood, which later ones refine: a fifth less time than without one,
and the final cameras are as true."""

_WORST_ERROR_PX = 3.0
# of a model between two adjustments of it as a whole; COLMAP's default is 1.1; cameras are as accurate as with 1.3
_GROWTH = 2.0
_FEW_MATCHES_OF_THE_FIRST_PAIR = 50  # COLMAP's default is 100
_FEW_MATCHES = 15  # of each further photo; COLMAP's default is 30


@dataclass(frozen=True, eq=False, slots=True)
class AlignedPhoto:
    """A photo with its camera and the distortion of its lens. Pixel centres are at whole numbers."""

    name: str
    camera: Camera
    radial: Radial  # distortion of the lens
    seen: Integers  # indices into the sparse points
    pixels: Doubles  # (len(seen), 2): column and row of each of these points in the photo

    def errors(self, points: Doubles) -> Doubles:
        """(len(seen),): the reprojection error in px of each of the sparse `points` (n, 3) that the photo sees."""
        focal, *principal = self.camera.lens
        in_camera = points[self.seen] @ self.camera.rotation.T + self.camera.translation
        straight = in_camera[:, :2] / in_camera[:, 2:]
        errors: Doubles = np.linalg.norm(self.radial.bent(straight) * focal + np.array(principal) - self.pixels, axis=1)
        return errors


class Why(enum.StrEnum):
    """Why a photo is not in the model, in words for users."""

    NO_FEATURES = "too few distinct points"
    NO_MATCHES = "overlaps with no other photo"
    APART = "aligned with others, which show another object or another side"
    NOT_ALIGNED = "overlaps with others, but could not be aligned with them"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A photo that is not in the sparse model. `name` is that of the prepared photo, as in `AlignedPhoto`."""

    name: str
    why: Why


@dataclass(frozen=True, eq=False, slots=True)
class SparseModel:
    """The result of structure from motion."""

    photos: tuple[AlignedPhoto, ...]
    points: Doubles  # (n, 3)
    reprojection_error_px: float
    left_out: tuple[LeftOut, ...] = ()
    reconstruction: Any = None  # COLMAP's, until the model is final

    @property
    def names(self) -> frozenset[str]:
        """Names of the aligned photos."""
        return frozenset(photo.name for photo in self.photos)


@dataclass(frozen=True, eq=False, slots=True)
class Matched:
    """The photos of one run, for matching and alignment."""

    database: Path
    pictures: Path  # the folder of the photos
    scratch: Path  # a folder for COLMAP's files and lists of pairs
    count: int  # of the photos
    seed: int
    threads: int


def one_by_one(matched: Matched, progress: StageProgress, *, with_few_matches: bool = False) -> list[SparseModel]:
    """Return the models of incremental mapping, the largest first; optionally with fewer matches than COLMAP requires
    by default.
    """
    options = pycolmap.IncrementalPipelineOptions()
    options.num_threads = THREADS
    options.random_seed = matched.seed
    options.min_model_size = int(quality_gates.ALIGNED.limit)
    options.extract_colors = False
    options.ba_global_frames_ratio = options.ba_global_points_ratio = _GROWTH
    options.ba_global_function_tolerance = TOLERANCE
    options.ba_local_function_tolerance = _LOCAL_TOLERANCE
    options.ba_local_max_refinements = 1  # COLMAP's default of 2 takes a quarter longer
    options.mapper.ba_global_ignore_redundant_points3D = True  # some points that many photos share fix the cameras
    if with_few_matches:
        options.mapper.init_min_num_inliers = _FEW_MATCHES_OF_THE_FIRST_PAIR
        options.mapper.abs_pose_min_num_inliers = _FEW_MATCHES
    registered = 0

    def report(more: int) -> None:
        nonlocal registered
        registered = min(registered + more, matched.count)  # a second model continues the count of the first
        progress(registered / matched.count, f"camera {registered}/{matched.count}")

    reconstructions: dict[int, Any] = pycolmap.incremental_mapping(
        matched.database,
        matched.pictures,
        Path(tempfile.mkdtemp(dir=matched.scratch)),
        options,
        initial_image_pair_callback=lambda: report(2),
        next_image_callback=lambda: report(1),
    )
    return trusted(reconstructions.values())


def all_at_once(matched: Matched, progress: StageProgress, message: str) -> list[SparseModel]:
    """Return the models of global mapping, the largest first."""
    options = pycolmap.GlobalPipelineOptions()
    options.num_threads = THREADS
    options.random_seed = matched.seed
    progress(0.0, message)
    reconstructions: dict[int, Any] = pycolmap.global_mapping(
        matched.database, matched.pictures, Path(tempfile.mkdtemp(dir=matched.scratch)), options
    )
    return trusted(reconstructions.values())


def trusted(reconstructions: Iterable[Any]) -> list[SparseModel]:
    """Return the models whose points fit their photos, those with most photos first."""
    models = [sparse_model(reconstruction) for reconstruction in reconstructions]
    fitting = [model for model in models if model.photos and model.reprojection_error_px <= _WORST_ERROR_PX]
    return sorted(fitting, key=lambda model: (-len(model.photos), -len(model.points)))


def sparse_model(reconstruction: Any) -> SparseModel:
    """Convert COLMAP's reconstruction to a SparseModel, without photos whose pose is based on too few points."""
    index = {point_id: position for position, point_id in enumerate(reconstruction.points3D)}
    photos = []
    for image_id in sorted(reconstruction.reg_image_ids()):
        image = reconstruction.images[image_id]
        camera = reconstruction.cameras[image.camera_id]
        seen = {index[point.point3D_id]: point.xy for point in image.points2D if point.has_point3D()}
        if len(seen) < quality_gates.POINTS_SEEN.limit:
            continue
        focal, column, row, *radial = map(float, camera.params)
        # In COLMAP, pixel centres are at halves; here, as in OpenCV, at whole numbers.
        lens = pinhole(focal, column - 0.5, row - 0.5)
        pose = np.array(image.cam_from_world().matrix(), dtype=np.float64)
        photos.append(
            AlignedPhoto(
                name=image.name,
                camera=Camera(lens, pose[:, :3].copy(), pose[:, 3].copy(), camera.width, camera.height),
                radial=Radial(*radial),
                seen=np.array(sorted(seen), dtype=np.int64),
                pixels=np.array([seen[point] for point in sorted(seen)], dtype=np.float64) - 0.5,
            )
        )
    points = np.array([point.xyz for point in reconstruction.points3D.values()], dtype=np.float64).reshape(-1, 3)
    error = float(reconstruction.compute_mean_reprojection_error())
    return SparseModel(tuple(photos), points, error, reconstruction=reconstruction)
