"""Announcements: the models that a worker can run, with their versions and parameters.

A worker stores its announcement under the digest of its text, and puts the digest into its registration. So workers
with the same models share one text, and an operator reads each text once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from reconstruction_operator.api import codec

MAX_BYTES: Final = 60_000  # a longer text would exceed the limit of a value in Redis
_MAX_MODELS: Final = 100
_MAX_CHARS: Final = 128


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One model of a worker."""

    version: str = ""
    parameters: Mapping[str, Any] | None = None  # a JSON Schema; None: the model has none
    simulated: bool = False  # the placeholder runs in the model's place
    stages: tuple[str, ...] = ()  # those that spec.stageQueues may name; empty: none, or not known
    reads_photos: bool = True  # if false, inputs are not checked


def to_text(models: Mapping[str, ModelInfo]) -> str:
    """Return the announcement as JSON, the same text for the same models.

    If it would be too long, schemas are left out.
    """
    text = _dump(models)
    if len(text) > MAX_BYTES:
        return _dump({name: replace(info, parameters=None) for name, info in models.items()})
    return text


def _dump(models: Mapping[str, ModelInfo]) -> str:
    content = {name: codec.encode(info) for name, info in models.items()}
    return json.dumps(content, sort_keys=True, separators=(",", ":"), default=dict)


def digest(text: str) -> str:
    """Return the digest under which an announcement is stored."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def is_digest(text: object) -> bool:
    """Return whether `text` has the form of a digest."""
    return isinstance(text, str) and len(text) == 32 and all(char in "0123456789abcdef" for char in text)  # noqa: PLR2004  # of `digest`


def from_text(text: str) -> Mapping[str, ModelInfo]:
    """Return the models of an announcement, by name.

    Unknown fields are ignored. Raises ValueError or RecursionError.
    """
    content = json.loads(text)
    if not isinstance(content, dict):
        raise ValueError("an announcement must be a JSON object")  # noqa: TRY004  # one error for every malformed text
    models = {
        name: codec.decode(ModelInfo, info)
        for name, info in list(content.items())[:_MAX_MODELS]
        if isinstance(info, dict) and len(name) <= _MAX_CHARS
    }
    return {name: replace(info, version=info.version[:_MAX_CHARS]) for name, info in models.items()}
