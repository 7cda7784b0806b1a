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
_FEW = 1_000  # median of the photos; with fewer, small photos are doubled at any quality
_DOUBLED_UP_TO_PX = 1_000  # for that reason; larger ones would take minutes
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

    If half of the photos have few, all small ones are searched again at twice their size. Raises ModelFailure (LOW_TEXTURE) if half
    of them have too few even so.
    """

    def search(doubled_up_to_px: int, progress: StageProgress) -> None:
        with pycolmap.Database.open(database) as reader:

            def measure() -> tuple[float, str]:
                done = reader.num_images()  # a photo is written together with its features
                return done / len(photos), f"features {done}/{len(photos)}"

            for group in _by_camera(photos):
                call = partial(
                    _extract_group,
                    group,
                    folder,
                    database,
                    features,
                    doubled_up_to_px=doubled_up_to_px,
                    threads=threads,
                )
                progress.during(call, measure)

    doubled = SMALL_PHOTO_PX if enlarge else 0
    can_double = any(doubled < _longer_side(photo) <= _DOUBLED_UP_TO_PX for photo in photos)
    search(doubled, progress)
    median = statistics.median(_counts(database))
    if median < _FEW and can_double:
        database.unlink()
        search(_DOUBLED_UP_TO_PX, progress.part(1.0, 1.0))  # it never goes back
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


def _longer_side(photo: PreparedPhoto) -> int:
    return max(photo.width, photo.height)


def _by_camera(photos: Sequence[PreparedPhoto]) -> list[list[PreparedPhoto]]:
    groups: dict[str, list[PreparedPhoto]] = {}
    for photo in photos:
        groups.setdefault(photo.camera, []).append(photo)
    return list(groups.values())


def _extract_group(
    group: Sequence[PreparedPhoto], folder: Path, database: Path, features: int, *, doubled_up_to_px: int, threads: int
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
    options.max_image_size = _longer_side(first)
    options.sift.max_num_features = features
    options.sift.peak_threshold = _PEAK_THRESHOLD
    options.sift.first_octave = -1 if _longer_side(first) <= doubled_up_to_px else 0
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
