"""Model acceptance: checks a sparse model by the quality gates, and names the photos that it leaves out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from reconstruction_operator.models.interface import ModelFailure
from reconstruction_operator.models.photogrammetry import quality_gates
from reconstruction_operator.models.photogrammetry.sparse import parallax
from reconstruction_operator.models.photogrammetry.sparse.left_out import LeftOut, Why
from reconstruction_operator.models.photogrammetry.sparse.mapping import SparseModel

_MOST_NAMES = 10  # maximum number of names in a message


def check_matches(database: Path, count: int) -> None:
    """Raise ModelFailure (NO_PARALLAX) if the `count` photos in `database` were taken from one place."""
    share = parallax.share_of_pairs(database)
    if share < quality_gates.PARALLAX_SHARE.limit:
        raise ModelFailure(
            "NO_PARALLAX",
            f"the {count} photos were taken from one place: {share:.0%} of their overlapping pairs show parallax, "
            f"at least {quality_gates.PARALLAX_SHARE.limit:.0%} are needed",
        )


def check(model: SparseModel, sources: Mapping[str, str]) -> None:
    """Raise ModelFailure (NOT_ENOUGH_OVERLAP, NO_PARALLAX); `sources` maps names of prepared photos to the users' names."""
    aligned, count = len(model.photos), len(sources)
    needed = quality_gates.fewest_aligned(count)
    if aligned < needed:
        text = f"{aligned} of {count} photos overlap enough to be aligned, at least {needed} are needed"
        raise ModelFailure("NOT_ENOUGH_OVERLAP", f"{text}{_apart(model.left_out, sources)}")
    each = len(model.points) / aligned
    if each < quality_gates.POINTS_PER_PHOTO.limit:
        raise ModelFailure(
            "NO_PARALLAX",
            f"the photos share only {each:.1f} points per photo, at least {quality_gates.POINTS_PER_PHOTO.limit:g} are needed",
        )
    angle = parallax.median_angle_deg(model)
    if angle < quality_gates.ANGLE_DEG.limit:
        raise ModelFailure(
            "NO_PARALLAX",
            f"the camera moved too little for its distance: the photos see their points at angles of {angle:.1f} degrees, at "
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


def warning(model: SparseModel, sources: Mapping[str, str]) -> str:
    """Return a warning that names the photos left out; empty if enough are aligned (`quality_gates.WHOLE_SHARE`)."""
    aligned, count = len(model.photos), len(sources)
    if aligned >= quality_gates.WHOLE_SHARE.limit * count:
        return ""
    out = [photo for photo in model.left_out if photo.why is not Why.APART]
    names = f"; left out: {_listed(out, sources)}" if out else ""
    return f"only {aligned} of {count} photos were aligned{_apart(model.left_out, sources)}{names}"


def _apart(left_out: Sequence[LeftOut], sources: Mapping[str, str]) -> str:
    apart = [photo for photo in left_out if photo.why is Why.APART]
    others = "1 other shows" if len(apart) == 1 else f"{len(apart)} others show"
    return f"; {others} another object, or another side: {_listed(apart, sources)}" if apart else ""


def _listed(photos: Sequence[LeftOut], sources: Mapping[str, str]) -> str:
    names = ", ".join(sources[photo.name] for photo in photos[:_MOST_NAMES])
    return names if len(photos) <= _MOST_NAMES else f"{names} and {len(photos) - _MOST_NAMES} more"
