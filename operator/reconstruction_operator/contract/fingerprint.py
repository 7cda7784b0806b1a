"""Fingerprint: input and recipe, equal for two runs that make the same result. Such runs may use each other's result.

The input covers names, sizes and contents of the photos, but not their location; the recipe covers the model, its
version and its complete parameters.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InputFile:
    """One photo of an input."""

    name: str
    bytes: int
    mark: str  # changes with the content: a SHA-256, or the ETag of an object


@dataclass(frozen=True, slots=True)
class KnownInput:
    """The input of an existing result, or of photos that are kept."""

    digest: str
    images: int | None = None
    bytes: int | None = None
    etag: str = ""  # of an archive on an https:// server; empty: unknown


def input_digest(kind: str, files: Iterable[InputFile]) -> str:
    """Return the digest of an input, such as "sha256:4f…", regardless of the order of its files.

    `kind`: the kind of the marks. Digests of different kinds are never equal.
    """
    described = sorted((file.name, file.bytes, file.mark) for file in files)
    return f"{kind}:{_digest([kind, described])}"


def recipe(model: str, version: str, parameters: Mapping[str, object]) -> str:
    """Return the digest of a model, its version, and its parameters with all defaults filled in."""
    return _digest([model, version, dict(parameters)])


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()
