"""Figures in words: what the numbers of `.status.quality` say about a mesh, and `.status.parts` about a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

_LEAST_SHOWN: Final = 0.005  # as a share: half a percent


def in_words(quality: Mapping[str, Any], size: str = "") -> str:
    """Return what the numbers say, such as "12 of 12 photos, sharp to 0.27 px, 80,000 triangles"; empty if they say
    nothing.

    `quality`: of a status or a manifest; another model may have other numbers. `size`: of the mesh, with its unit.
    """
    registered, images, error, faces, invented = (
        _number(quality.get(name)) for name in ("registered", "images", "reprojectionErrorPx", "faces", "inventedShare")
    )
    parts = (
        f"{registered:.0f} of {images:.0f} photos" if registered is not None and images is not None else "",
        f"sharp to {error:.2f} px" if error is not None else "",
        f"{faces:,.0f} triangles" if faces is not None else "",
        f"{invented:.0%} of the surface closed without photos".replace("%", " %", 1)
        if invented is not None and invented >= _LEAST_SHOWN
        else "",
        size,
    )
    return ", ".join(filter(None, parts))


def parts_in_words(parts: Mapping[str, Any]) -> str:
    """Return how far the parts of a stage are, such as "5 of 12 parts made, 2 workers"; empty if none is divided.

    `parts`: of a status.
    """
    total, done, running = (_number(parts.get(name)) for name in ("total", "done", "running"))
    workers = f", {running:.0f} workers" if running and running > 1 else ""
    return f"{done or 0:.0f} of {total:.0f} parts made{workers}" if total else ""


def _number(value: object) -> float | None:
    """Return a number that a status holds as text; None if it is none."""
    try:
        number = float(value)  # type: ignore[arg-type]  # checked by the exception
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and number >= 0 else None
