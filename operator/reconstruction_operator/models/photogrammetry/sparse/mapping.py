"""Structure from motion: a pose for each photo, and a sparse cloud of points.

Incremental mapping runs first (Schoenberger and Frahm 2016, "Structure-from-motion revisited"). If it leaves photos out,
global mapping runs as well (Pan et al. 2024, "Global structure-from-motion revisited"), which bridges weak links at
which incremental mapping gives up. The model that aligns more photos is kept.

Global mapping alone is not enough: on a walk straight ahead it aligns photos whose lines of sight hardly cross, and
their depth cannot be computed. Incremental mapping starts from two photos with clearly different viewpoints, so its
failure shows that the photos lack parallax.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from reconstruction_operator.models.photogrammetry import gates
from reconstruction_operator.models.photogrammetry.arrays import Doubles, Integers
from reconstruction_operator.models.photogrammetry.progress import StageProgress, nearing_the_end
from reconstruction_operator.models.photogrammetry.sparse.colmap import pycolmap
from reconstruction_operator.models.photogrammetry.sparse.leaving import LeftOut, left_out

_WORST_ERROR_PX = 3.0
_GLOBAL_SECONDS_PER_PHOTO = 0.3  # for the progress display alone


@dataclass(frozen=True, eq=False, slots=True)
class AlignedPhoto:
    """One photo with its pose: camera = rotation @ world + translation. Pixel centres are at whole numbers."""

    name: str
    width: int  # px
    height: int  # px
    focal: float  # px
    principal: tuple[float, float]  # px
    radial: float  # k of x (1 + k r^2), in units of the focal length
    rotation: Doubles  # (3, 3)
    translation: Doubles  # (3,)
    seen: Integers  # indices into the sparse points
    pixels: Doubles  # (len(seen), 2): column and row at which the photo shows each of them


@dataclass(frozen=True, eq=False, slots=True)
class SparseModel:
    """The result of structure from motion."""

    photos: tuple[AlignedPhoto, ...]
    points: Doubles  # (n, 3)
    reprojection_error_px: float
    left_out: tuple[LeftOut, ...] = ()


def align(
    database: Path, folder: Path, scratch: Path, *, count: int, seed: int, threads: int, progress: StageProgress
) -> SparseModel:
    """The largest consistent model of the `count` photos in `folder`, from the matches in `database`; it may be small or empty."""
    (scratch / "incremental").mkdir()
    (scratch / "global").mkdir()
    first, second = progress.part(0.0, 0.6), progress.part(0.6, 1.0)
    output = scratch / "incremental"
    found = _trusted(_incremental(database, folder, output, count=count, seed=seed, threads=threads, progress=first))
    best = _largest(found)
    aligned = len(best.photos)
    if gates.fewest_aligned(count) <= aligned < count:
        found += _trusted(
            second.during(
                lambda: _global(database, folder, scratch / "global", seed=seed, threads=threads),
                lambda passed: (
                    nearing_the_end(passed, _GLOBAL_SECONDS_PER_PHOTO * count),
                    f"{aligned} of {count} photos aligned one by one, trying all at once",
                ),
            )
        )
        best = max(best, _largest(found), key=lambda model: len(model.photos))  # the first of equals
    progress(1.0, f"{len(best.photos)} of {count} photos aligned")
    in_any = [photo.name for model in found for photo in model.photos]
    return replace(best, left_out=left_out(database, [photo.name for photo in best.photos], in_any))


def _incremental(
    database: Path, folder: Path, output: Path, *, count: int, seed: int, threads: int, progress: StageProgress
) -> Iterable[Any]:
    options = pycolmap.IncrementalPipelineOptions()
    options.num_threads = threads
    options.random_seed = seed
    options.min_model_size = int(gates.ALIGNED.limit)
    options.extract_colors = False
    registered = 0

    def started() -> None:
        nonlocal registered
        registered += 2
        progress(registered / count, f"camera {registered}/{count}")

    def added() -> None:
        nonlocal registered
        registered = min(registered + 1, count)  # a second, smaller model counts on from the first
        progress(registered / count, f"camera {registered}/{count}")

    found: dict[int, Any] = pycolmap.incremental_mapping(
        database, folder, output, options, initial_image_pair_callback=started, next_image_callback=added
    )
    return found.values()


def _global(database: Path, folder: Path, output: Path, *, seed: int, threads: int) -> Iterable[Any]:
    options = pycolmap.GlobalPipelineOptions()
    options.num_threads = threads
    options.random_seed = seed
    found: dict[int, Any] = pycolmap.global_mapping(database, folder, output, options)
    return found.values()


def _trusted(reconstructions: Iterable[Any]) -> list[SparseModel]:
    models = [_sparse_model(reconstruction) for reconstruction in reconstructions]
    return [model for model in models if model.photos and model.reprojection_error_px <= _WORST_ERROR_PX]


def _largest(models: Iterable[SparseModel]) -> SparseModel:
    """That with most photos, and most points; an empty one if there is none."""
    return max(
        models, key=lambda model: (len(model.photos), len(model.points)), default=SparseModel((), np.zeros((0, 3)), 0.0)
    )


def _sparse_model(reconstruction: Any) -> SparseModel:
    """COLMAP's reconstruction as a SparseModel, without photos whose pose rests on too few points."""
    index = {point_id: position for position, point_id in enumerate(reconstruction.points3D)}
    photos = []
    for image_id in sorted(reconstruction.reg_image_ids()):
        image = reconstruction.images[image_id]
        camera = reconstruction.cameras[image.camera_id]
        seen = {index[point.point3D_id]: point.xy for point in image.points2D if point.has_point3D()}
        if len(seen) < gates.POINTS_SEEN.limit:
            continue
        focal, centre_x, centre_y, radial = camera.params
        pose = image.cam_from_world().matrix()
        photos.append(
            AlignedPhoto(
                name=image.name,
                width=camera.width,
                height=camera.height,
                focal=float(focal),
                # COLMAP has pixel centres at halves, OpenCV and all code here at whole numbers.
                principal=(float(centre_x) - 0.5, float(centre_y) - 0.5),
                radial=float(radial),
                rotation=np.array(pose[:, :3], dtype=np.float64),
                translation=np.array(pose[:, 3], dtype=np.float64),
                seen=np.array(sorted(seen), dtype=np.int64),
                pixels=np.array([seen[point] for point in sorted(seen)], dtype=np.float64) - 0.5,
            )
        )
    points = np.array([point.xyz for point in reconstruction.points3D.values()], dtype=np.float64).reshape(-1, 3)
    return SparseModel(tuple(photos), points, float(reconstruction.compute_mean_reprojection_error()))
