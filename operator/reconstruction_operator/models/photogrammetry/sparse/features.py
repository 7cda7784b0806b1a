"""Feature extraction: writes SIFT features of each photo to COLMAP's database. Photos of one camera share intrinsics.

Lowe 2004, "Distinctive image features from scale-invariant keypoints", with the RootSIFT normalisation of Arandjelovic and Zisserman
2012, which is COLMAP's default.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from reconstruction_operator.models.interface import ModelFailure
from reconstruction_operator.models.photogrammetry import quality_gates
from reconstruction_operator.models.photogrammetry.input.photos import PreparedPhoto
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.sparse.colmap import CPU, pycolmap

SMALL_PHOTO_PX = 800  # smaller photos have few features, and may be doubled in size first, for four times the time
_PEAK_THRESHOLD = 0.003  # below SIFT's usual 0.0067, so that ground out of focus still has features


def extract(
    photos: Sequence[PreparedPhoto],
    folder: Path,
    database: Path,
    *,
    features: int,
    threads: int,
    progress: StageProgress,
    enlarge: bool = True,
) -> None:
    """Write up to `features` features of each photo (files in `folder`) to `database`; with `enlarge`, more of small photos.

    Raises ModelFailure (LOW_TEXTURE) if half of the photos have too few features.
    """
    with pycolmap.Database.open(database) as reader:

        def measure() -> tuple[float, str]:
            done = reader.num_images()  # a photo is written together with its features
            return done / len(photos), f"features {done}/{len(photos)}"

        for group in _by_camera(photos):
            call = partial(_extract_group, group, folder, database, features, enlarge=enlarge, threads=threads)
            progress.during(call, measure)
    median = statistics.median(_counts(database))
    if median < quality_gates.FEATURES.limit:
        raise ModelFailure(
            "LOW_TEXTURE",
            f"half of the {len(photos)} photos show fewer than {int(median) + 1} distinct points ({quality_gates.FEATURES.limit:g} "
            "are needed)",
        )


def mean(database: Path) -> float:
    """Return the mean number of features of the photos in `database`."""
    return statistics.fmean(_counts(database))


def _by_camera(photos: Sequence[PreparedPhoto]) -> list[list[PreparedPhoto]]:
    groups: dict[str, list[PreparedPhoto]] = {}
    for photo in photos:
        groups.setdefault(photo.camera, []).append(photo)
    return list(groups.values())


def _extract_group(
    group: Sequence[PreparedPhoto], folder: Path, database: Path, features: int, *, enlarge: bool, threads: int
) -> None:
    """Extract the features of all photos of one camera in one call, so that they share its intrinsics."""
    first = group[0]
    reader = pycolmap.ImageReaderOptions()
    reader.camera_model = "SIMPLE_RADIAL"
    if any(photo.masked for photo in group):
        reader.mask_path = folder
    if first.focal_px is not None:
        reader.camera_params = f"{first.focal_px},{first.width / 2},{first.height / 2},0"
    options = pycolmap.FeatureExtractionOptions()
    options.num_threads = threads
    options.use_gpu = False
    options.max_image_size = max(first.width, first.height)
    options.sift.max_num_features = features
    options.sift.peak_threshold = _PEAK_THRESHOLD
    options.sift.first_octave = -1 if enlarge and max(first.width, first.height) <= SMALL_PHOTO_PX else 0
    pycolmap.extract_features(
        database,
        folder,
        image_names=[photo.name for photo in group],
        camera_mode=pycolmap.CameraMode.SINGLE,
        reader_options=reader,
        extraction_options=options,
        device=CPU,
    )


def _counts(database: Path) -> list[int]:
    with pycolmap.Database.open(database) as opened:
        return [opened.num_keypoints_for_image(image.image_id) for image in opened.read_all_images()]
