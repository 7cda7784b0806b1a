"""Assessment: what a model says of its result. Models return it, and what a run found carries it to the status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconstruction_operator.api.status import MAX_QUALITY as MAX_QUALITY  # noqa: PLC0414  # models import it from here


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What a model says of its result. The status shows the fields of the same names."""

    quality: Mapping[str, int | float | str] = field(default_factory=dict)  # MAX_QUALITY values at most
    warning: str = ""  # for people: why the quality of a usable result is reduced, with numbers
    size: str = ""  # width, height and depth of the mesh, with a unit; empty: its scale is unknown
