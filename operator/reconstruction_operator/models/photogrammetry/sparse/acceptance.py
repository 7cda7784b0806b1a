"""Model acceptance: checks matches and a sparse model by the quality gates, and names the photos that the model leaves
out.

Photos without parallax, taken from one place, show no depth. Two of them differ by a homography H = K R K^-1 with a
rotation R (Hartley and Zisserman 2004, section 8.4). Two photos of a plane from different places also differ by a
homography, but of another form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from reconstruction_operator.models.interface import ModelFailure
from reconstruction_operator.models.photogrammetry import quality_gates
from reconstruction_operator.models.photogrammetry.arrays import Doubles
from reconstruction_operator.models.photogrammetry.sparse.cameras import pinhole
from reconstruction_operator.models.photogrammetry.sparse.colmap import pycolmap
from reconstruction_operator.models.photogrammetry.sparse.mapping import LeftOut, SparseModel, Why

_MOST_NAMES = 10  # maximum number of names in a message
_MOST_CHARS = 128  # of a value in the status
_FEWEST_MATCHES = 30  # minimum number of verified matches of a pair; fewer do not determine a homography
_MOST_STRETCH = 0.02  # maximum stretch between photos from one place; about the step aside, relative to the distance
_FOCALS = np.geomspace(0.7, 1.6, 15)  # multiples of the longer side, tried for cameras without a focal length in EXIF
_HOMOGRAPHIES = (
    pycolmap.TwoViewGeometryConfiguration.PLANAR,
    pycolmap.TwoViewGeometryConfiguration.PANORAMIC,
    pycolmap.TwoViewGeometryConfiguration.PLANAR_OR_PANORAMIC,
)


def check_matches(database: Path, count: int) -> None:
    """Raise ModelFailure (NO_PARALLAX) if the `count` photos in `database` were taken from one place."""
    share = parallax_share(database)
    if share < quality_gates.PARALLAX_SHARE.limit:
        raise ModelFailure(
            "NO_PARALLAX",
            f"the {count} photos were taken from one place: {share:.0%} of their overlapping pairs show parallax, "
            f"at least {quality_gates.PARALLAX_SHARE.limit:.0%} are needed",
        )


def check(model: SparseModel, sources: Mapping[str, str]) -> None:
    """Raise ModelFailure (NOT_ENOUGH_OVERLAP, NO_PARALLAX); `sources` maps names of prepared photos to the users'
    names.
    """
    aligned = len(model.photos)
    count = len(sources)
    needed = quality_gates.fewest_aligned(count)
    if aligned < needed:
        text = f"{aligned} of {count} photos overlap enough to be aligned, at least {needed} are needed"
        raise ModelFailure("NOT_ENOUGH_OVERLAP", "; ".join(filter(None, [text, _apart(model.left_out, sources)])))
    each = len(model.points) / aligned
    if each < quality_gates.POINTS_PER_PHOTO.limit:
        raise ModelFailure(
            "NO_PARALLAX",
            f"the photos share only {each:.1f} points per photo, at "
            f"least {quality_gates.POINTS_PER_PHOTO.limit:g} are needed",
        )
    angle = median_angle_deg(model)
    if angle < quality_gates.ANGLE_DEG.limit:
        raise ModelFailure(
            "NO_PARALLAX",
            f"the camera moved too little for its distance: the photos see their points at angles of {angle:.1f} "
            "degrees, at "
            f"least {quality_gates.ANGLE_DEG.limit:g} are needed",
        )


def quality(model: SparseModel, count: int) -> dict[str, int | float]:
    """Return what a model of `count` photos tells of the result's quality."""
    return {
        "images": count,
        "registered": len(model.photos),
        "leftOut": len(model.left_out),
        "alignedShare": round(len(model.photos) / count, 2),
        "sparsePoints": len(model.points),
        "reprojectionErrorPx": round(model.reprojection_error_px, 3),
    }


def findings(model: SparseModel, sources: Mapping[str, str]) -> dict[str, int | float | str]:
    """Return what is reported while the run goes on: its quality, and in words which photos are left out.

    `sources` maps names of prepared photos to the users' names.
    """
    texts = (
        "; ".join(filter(None, [_apart(model.left_out, sources, most), _out(model.left_out, sources, most)]))
        for most in range(_MOST_NAMES, -1, -1)
    )
    short = next(text for text in texts if len(text) <= _MOST_CHARS)
    return {**quality(model, len(sources)), **({"leftOutPhotos": short} if short else {})}


def warning(model: SparseModel, sources: Mapping[str, str]) -> str:
    """Return a warning that names the photos left out; empty if enough are aligned (`quality_gates.WHOLE_SHARE`)."""
    aligned = len(model.photos)
    count = len(sources)
    if aligned >= quality_gates.WHOLE_SHARE.limit * count:
        return ""
    text = f"only {aligned} of {count} photos were aligned"
    return "; ".join(filter(None, [text, _apart(model.left_out, sources), _out(model.left_out, sources)]))


def focal_warning(model: SparseModel) -> str:
    """Return a warning that photos without a focal length in EXIF do not determine it; empty if they do.

    Photos with parallel optical axes fit any focal length: with twice the focal length, everything is twice as far, and
    twice as deep (Hartley and Zisserman 2004, section 19.5, on critical motions of self-calibration).
    """
    if axes_spread_deg(model) >= quality_gates.AXES_DEG.limit:
        return ""
    return (
        "all photos look in the same direction, and not all have a focal length in EXIF, so depths or heights may be "
        "stretched: add photos that look from the side, or use the camera's original files"
    )


def _apart(left_out: Sequence[LeftOut], sources: Mapping[str, str], most: int = _MOST_NAMES) -> str:
    """Return which of `left_out` show another object, with at most that many names; empty if none does."""
    apart = [photo for photo in left_out if photo.why is Why.APART]
    others = "1 other shows" if len(apart) == 1 else f"{len(apart)} others show"
    names = f": {_listed(apart, sources, most)}" if most else ""
    return f"{others} another object, or another side{names}" if apart else ""


def _out(left_out: Sequence[LeftOut], sources: Mapping[str, str], most: int = _MOST_NAMES) -> str:
    """Return the others of `left_out`, with at most that many names; empty if there are none."""
    out = [photo for photo in left_out if photo.why is not Why.APART]
    return f"left out: {_listed(out, sources, most) if most else len(out)}" if out else ""


def _listed(photos: Sequence[LeftOut], sources: Mapping[str, str], most: int) -> str:
    names = ", ".join(sources[photo.name] for photo in photos[:most])
    return names if len(photos) <= most else f"{names} and {len(photos) - most} more"


def parallax_share(database: Path) -> float:
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


def axes_spread_deg(model: SparseModel) -> float:
    """Return the angle between the optical axes and their mean direction, as the root mean square over the photos."""
    axes = np.array([photo.camera.rotation[2] for photo in model.photos])
    middle = axes.mean(axis=0) / max(float(np.linalg.norm(axes.mean(axis=0))), np.finfo(float).tiny)
    angles = np.degrees(np.arccos(np.clip(axes @ middle, -1.0, 1.0)))
    return float(np.sqrt((angles**2).mean()))


def _stretch(first: pycolmap.Camera, second: pycolmap.Camera, homography: Doubles, scale: float | None) -> float:
    """Return how far K^-1 H K is from a rotation: its largest relative stretch. `scale`: focal length / longer side."""
    turned = np.linalg.inv(_intrinsics(second, scale)) @ homography @ _intrinsics(first, scale)
    sizes = np.linalg.svd(turned, compute_uv=False)
    relative = sizes / max(float(np.cbrt(sizes.prod())), np.finfo(float).tiny)
    return float(np.abs(relative - 1.0).max())


def _intrinsics(camera: pycolmap.Camera, scale: float | None) -> Doubles:
    focal = camera.params[0] if scale is None else scale * max(camera.width, camera.height)
    return pinhole(focal, camera.params[1], camera.params[2])
