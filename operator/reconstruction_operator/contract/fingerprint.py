"""Fingerprint: whether two runs make the same result, from what a result is made from.

That is the input (names, sizes and contents of its photos), and the recipe: the model, its version and its complete parameters. Where
the photos lie is no part of it. Two runs with the same fingerprint may use each other's result.
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
    """The input of a result that exists, or of photos that are kept."""

    digest: str
    images: int | None = None
    bytes: int | None = None
    etag: str = ""  # of the same address's archive on an https:// server; empty: not known


def input_digest(kind: str, files: Iterable[InputFile]) -> str:
    """The digest of an input, such as "sha256:4f…". `kind`: of the marks; digests of different kinds never agree.

    The order of the files does not count.
    """
    described = sorted((one.name, one.bytes, one.mark) for one in files)
    return f"{kind}:{_digest([kind, described])}"


def recipe(model: str, version: str, parameters: Mapping[str, object]) -> str:
    """The digest of a model, its version, and its parameters with all defaults filled in."""
    return _digest([model, version, dict(parameters)])


def fingerprint(input_digest: str, recipe: str) -> str:
    """The fingerprint of a result; empty if the input is not known."""
    return _digest([input_digest, recipe]) if input_digest else ""


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()
