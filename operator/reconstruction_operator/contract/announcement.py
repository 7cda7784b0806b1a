"""Announcements: the models that a worker can run, with their versions and parameters.

A worker stores its announcement under the announcement's own digest, and names that in its registration. So many workers with the same
models share one text, and an operator reads each text once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

MAX_BYTES: Final = 60_000  # a longer text would exceed the limit of a value in Redis
_MAX_MODELS: Final = 100
_MAX_CHARS: Final = 128


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One model of a worker."""

    version: str = ""
    parameters: Mapping[str, Any] | None = None  # a JSON Schema; None: it has none
    simulated: bool = False  # the placeholder runs in its place
    reads_photos: bool = True  # if false, inputs are not checked


def to_text(models: Mapping[str, ModelInfo]) -> str:
    """The announcement as JSON, the same for the same models. Schemas are left out of one that would be too long."""
    text = _dump(models)
    if len(text) > MAX_BYTES:
        plain = {name: ModelInfo(one.version, None, one.simulated, one.reads_photos) for name, one in models.items()}
        text = _dump(plain)
    return text


def _dump(models: Mapping[str, ModelInfo]) -> str:
    content = {
        name: {
            "version": one.version,
            "parameters": one.parameters,
            "simulated": one.simulated,
            "readsPhotos": one.reads_photos,
        }
        for name, one in models.items()
    }
    return json.dumps(content, sort_keys=True, separators=(",", ":"), default=dict)


def digest(text: str) -> str:
    """The name of an announcement."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def is_digest(text: object) -> bool:
    """Whether it may name an announcement; empty names none."""
    return isinstance(text, str) and len(text) == 32 and all(char in "0123456789abcdef" for char in text)  # noqa: PLR2004  # of `digest`


def from_text(text: str) -> Mapping[str, ModelInfo]:
    """The models of an announcement, by name. Unknown fields are left out. Raises ValueError for anything else."""
    content = json.loads(text)
    if not isinstance(content, dict):
        raise ValueError("an announcement is an object")  # noqa: TRY004  # one error for every malformed text
    return {
        name: ModelInfo(
            version=str(one.get("version") or "")[:_MAX_CHARS],
            parameters=one["parameters"] if isinstance(one.get("parameters"), dict) else None,
            simulated=one.get("simulated") is True,
            reads_photos=one.get("readsPhotos") is not False,
        )
        for name, one in list(content.items())[:_MAX_MODELS]
        if isinstance(one, dict) and len(name) <= _MAX_CHARS
    }
