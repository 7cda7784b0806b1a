"""Feature extraction: writes SIFT features of each photo to COLMAP's database. Photos of one camera share intrinsics.

Lowe 2004, "Distinctive image features from scale-invariant keypoints", by OpenCV, with the RootSIFT normalisation of
Arandjelovic and Zisserman 2012. COLMAP's own extraction keeps the largest features, where this keeps those with most
contrast: it needs more of them for cameras as accurate, so that alignment takes twice the time.
"""

from __future__ import annotations

import statistics
import threading
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import cv2
import numpy as np

from reconstruction_operator.models.interface import ModelFailure
from reconstruction_operator.models.photogrammetry import dividing, parallel, quality_gates
from reconstruction_operator.models.photogrammetry.arrays import Pixels, Singles
from reconstruction_operator.models.photogrammetry.input.photos import PreparedPhoto, read_pixels
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.sparse.colmap import pycolmap

Divided = Callable[[Sequence[str], dividing.Make], Sequence[Path]]
"""Gets the names of photos, and what fills the folder of a part of them."""

UNIT = 512.0  # of a RootSIFT descriptor in COLMAP's database, whose values are bytes
_CONTRAST = 0.009  # below OpenCV's default of 0.04, so that ground out of focus still has features
_SHARE = 0.75  # of its size, to which a photo is reduced first: OpenCV searches at twice the size that it is given
_SMALL_PX = 700  # of the longer side; smaller photos are searched as they are
_OF_A_SET = 1_600_000  # most features of all photos together: more of them take longer, and align no more photos
_BYTES_A_PIXEL = 250  # for OpenCV's search


def extract(
    photos: Sequence[PreparedPhoto],
    folder: Path,
    database: Path,
    *,
    features: int,
    threads: int,
    progress: StageProgress,
    of_a_set: int = _OF_A_SET,
    known: Callable[[Path], Collection[str]] = lambda _: (),
    divided: Divided = lambda *_: [],
) -> None:
    """Write the features with most contrast of each photo (files in `folder`), at most `features`, to `database`.

    Photos of a set of hundreds have fewer: at most `of_a_set` together. `known` writes those of photos that are known,
    and returns the names of these. `divided` returns the folders of parts in which others are found, empty if this run
    finds them all.

    Raises ModelFailure (LOW_TEXTURE) if half of the photos have too few.
    """
    pycolmap.Database.open(database).close()  # creates it
    for group in _by_camera(photos):
        _import(group, folder, database)
    with pycolmap.Database.open(database) as opened:
        numbers = {str(image.name): image.image_id for image in opened.read_all_images()}
    found = known(database)
    new = [photo for photo in photos if photo.name not in found]
    writing = threading.Lock()
    kind = pycolmap.FeatureExtractorType.SIFT

    def write(name: str, keypoints: Singles, descriptors: Pixels) -> None:
        # A connection of its own: after a cancel, this thread may outlive `extract`.
        with writing, pycolmap.Database.open(database) as opened:
            opened.write_keypoints(numbers[name], keypoints)
            opened.write_descriptors(numbers[name], pycolmap.FeatureDescriptors(kind, descriptors))

    def find(
        those: Sequence[PreparedPhoto], keep: Callable[[str, Singles, Pixels], None], report: StageProgress
    ) -> None:
        parallel.each(
            lambda photo: keep(photo.name, *_found(photo, folder, most_each(features, len(photos), of_a_set))),
            those,
            threads,
            lambda done, of: report(done / of, f"features {done}/{of}"),
            bytes_each=_BYTES_A_PIXEL * max(photo.width * photo.height for photo in photos),
        )

    def make(into: Path, wanted: range, report: StageProgress) -> None:
        def keep(name: str, keypoints: Singles, descriptors: Pixels) -> None:
            np.savez(into / f"{name}.npz", keypoints=keypoints, descriptors=descriptors)

        find(new[wanted.start : wanted.stop], keep, report)

    parts = divided([photo.name for photo in new], make)
    for path in (path for part in parts for path in sorted(part.glob("*.npz"))):
        with np.load(path) as file:
            write(path.stem, file["keypoints"], file["descriptors"])
    if not parts:
        find(new, write, progress)
    median = statistics.median(_counts(database))
    if median < quality_gates.FEATURES.limit:
        raise ModelFailure(
            "LOW_TEXTURE",
            f"half of the {len(photos)} photos show {f'at most {median:g}' if median else 'no'} distinct points "
            f"({quality_gates.FEATURES.limit:g} are needed)",
        )


def most_each(features: int, count: int, of_a_set: int = _OF_A_SET) -> int:
    """Return the most features of each of `count` photos: `features`, or fewer in a set of hundreds."""
    return min(features, of_a_set // count)


def mean(database: Path) -> float:
    """Return the mean number of features of the photos in `database`."""
    return statistics.fmean(_counts(database))


def _by_camera(photos: Sequence[PreparedPhoto]) -> list[list[PreparedPhoto]]:
    groups: dict[str, list[PreparedPhoto]] = {}
    for photo in photos:
        groups.setdefault(photo.camera, []).append(photo)
    return list(groups.values())


def _import(group: Sequence[PreparedPhoto], folder: Path, database: Path) -> None:
    """Write all photos of one camera to `database` in one call, so that they share its intrinsics."""
    first = group[0]
    options = pycolmap.ImageReaderOptions()
    options.camera_model = "SIMPLE_RADIAL"
    if first.focal_px is not None:
        options.camera_params = f"{first.focal_px},{first.width / 2},{first.height / 2},0"
    pycolmap.import_images(
        database, folder, pycolmap.CameraMode.SINGLE, image_names=[photo.name for photo in group], options=options
    )


def _found(photo: PreparedPhoto, folder: Path, features: int) -> tuple[Singles, Pixels]:
    """Return the keypoints (n, 4) of a photo, as column, row, scale in px and angle in radians, and their descriptors
    (n, 128).

    Pixel centres are at halves, as in COLMAP.
    """
    image = _reduced(folder / photo.name, photo, cv2.INTER_AREA)
    mask = _reduced(folder / photo.mask, photo, cv2.INTER_NEAREST) if photo.mask else None
    # OpenCV would choose before it masks.
    search = cv2.SIFT.create(0 if photo.mask else features, contrastThreshold=_CONTRAST, enable_precise_upscale=True)
    points, found = search.detectAndCompute(image, mask)
    if not points:
        return np.zeros((0, 4), np.float32), np.zeros((0, 128), np.uint8)
    best = np.argsort([-point.response for point in points], kind="stable")[:features]
    across, down = photo.width / image.shape[1], photo.height / image.shape[0]
    keypoints = np.array(
        [
            ((point.pt[0] + 0.5) * across, (point.pt[1] + 0.5) * down, point.size / 2 * across, np.radians(point.angle))
            for point in (points[index] for index in best)
        ],
        dtype=np.float32,
    )
    descriptors = np.sqrt(found[best] / np.maximum(found[best].sum(axis=1, keepdims=True), 1e-9))
    return keypoints, np.rint(UNIT * descriptors).clip(0, 255).astype(np.uint8)


def _reduced(path: Path, photo: PreparedPhoto, interpolation: int) -> Pixels:
    """(h, w): the grey picture in `path`, of `photo` or its mask, in the size in which features are searched."""
    share = min(max(_SHARE, _SMALL_PX / max(photo.width, photo.height)), 1.0)
    grey = read_pixels(path, cv2.IMREAD_GRAYSCALE)
    return np.asarray(cv2.resize(grey, None, fx=share, fy=share, interpolation=interpolation), dtype=np.uint8)


def _counts(database: Path) -> list[int]:
    with pycolmap.Database.open(database) as opened:
        return [opened.num_keypoints_for_image(image.image_id) for image in opened.read_all_images()]
