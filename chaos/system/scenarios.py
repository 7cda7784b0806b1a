"""Scenarios: the spec of a job, and what its user does with it."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_MANY = 20  # backoffLimit of a healthy job: faults must not use it up
_FEW = 2
_SHORT_SECONDS = (1.5, 7.0)
_LONG_SHARE = 0.15
_MAY_BE_LONG = {"steady", "cancel", "withdraw"}
_DELIVERED_SHARE = 0.25
_DELIVERED_TO = (0.6, 0.4)  # the shares of a folder and of a bucket
_SHARED_SHARE = 0.3
_MOVED_SHARE = 0.3
_MAY_BE_DIVIDED = {"steady", "cancel", "cancel at once", "withdraw", "suspend", "delete"}  # in parts or legs
_MOVES = ({"second": "spare"}, {"first": "spare", "third": "spare"}, {"third": "spare"})
_MAY_BE_DELIVERED = {"steady", "cancel", "withdraw", "suspend", "delete", "poison"}

LONG_SECONDS = (20.0, 35.0)
"""Seconds that long jobs work: long enough to be superseded, or cancelled well before they finish."""

WEIGHTS: Mapping[str, int] = {
    "steady": 40,
    "cancel": 14,
    "cancel at once": 6,
    "withdraw": 10,
    "suspend": 10,
    "delete": 8,
    "unusable": 6,
    "poison": 6,
}
"""The share of each scenario, in percent."""

CHANGES: Mapping[str, Mapping[str, bool]] = {
    "request": {"cancelRequested": True},
    "withdraw": {"cancelRequested": False},
    "confirm": {"cancelConfirmed": True},
    "suspend": {"suspend": True},
    "resume": {"suspend": False},
}
"""The change of the spec by each action; `delete` has none."""

_VERBS: Mapping[str, tuple[str, ...]] = {
    "cancel": ("request", "confirm"),
    "withdraw": ("request", "withdraw"),
    "suspend": ("suspend", "resume"),
    "delete": ("delete",),
}


def draw(chance: random.Random) -> str:
    """Return a random scenario by weight."""
    return chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]


def spec(
    scenario: str,
    *,
    photos: Path,
    output_uris: Sequence[str],
    long_seconds: tuple[float, float],
    chance: random.Random,
) -> dict[str, Any]:
    """Return the spec of a job of that scenario; some jobs work for `long_seconds`, some have helpers, some change the
    pool between two stages, and some have their result delivered.

    `output_uris` are the job's folder and its address in the bucket.
    """
    long = chance.random() < _LONG_SHARE and scenario in _MAY_BE_LONG
    made: dict[str, Any] = {
        "modelType": {"poison": "journal-poison", "unusable": "journal-unusable"}.get(scenario, "journal"),
        "input": {"uri": f"file://{photos}"},
        "parameters": {"seconds": round(chance.uniform(*(long_seconds if long else _SHORT_SECONDS)), 1)},
        "backoffLimit": _FEW if scenario == "poison" else _MANY,
        "priority": chance.choice(["low", "normal", "normal", "high"]),
    }
    divided = chance.random() if scenario in _MAY_BE_DIVIDED else 1.0
    if divided < _SHARED_SHARE:
        made |= {"modelType": "journal-parts", "parts": chance.choice([2, 2, 3])}
    elif divided < _SHARED_SHARE + _MOVED_SHARE:
        made |= {"modelType": "journal-legs", "stageQueues": chance.choice(_MOVES)}
    if chance.random() < 0.1:  # noqa: PLR2004 -- a tenth
        made["ttlSecondsAfterFinished"] = chance.randint(5, 20)
    if chance.random() < _DELIVERED_SHARE and scenario in _MAY_BE_DELIVERED:
        made["output"] = {"uri": chance.choices(output_uris, _DELIVERED_TO)[0]}
    return made


def actions(scenario: str, chance: random.Random) -> list[tuple[float, str]]:
    """Return the (seconds after creation, action) pairs of a scenario."""
    first = chance.uniform(0.0, 12.0)
    second = first + chance.uniform(0.2, 6.0)
    if scenario == "cancel at once":
        return [(0.0, "request"), (0.1, "confirm")]
    return list(zip((first, second), _VERBS.get(scenario, ()), strict=False))
