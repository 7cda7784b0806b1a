"""Model messages: what a worker and the process of an isolated model send each other.

    worker -> process   a JSON file (`RunRequest`); then one byte a second on stdin, as a sign of life
    process -> worker   lines of JSON (`ModelMessage`) on a separate file descriptor: native libraries print to stdout

Native code can damage the process in any way. So `decode` returns None for a malformed line, and never raises.
"""

from __future__ import annotations

import math
import os
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

import msgspec

from reconstruction_operator.models.interface import Result, Step, Work

MAX_LINE_BYTES = 65_536
MAX_QUALITY_ITEMS = 16
_MAX_TEXT_CHARS = 2_000


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A request to run the model of that name."""

    model: str
    work: Work
    silence_seconds: float  # silence of the worker after which the process exits

    def to_json(self) -> bytes:
        """Return the request as a JSON text. Paths are base64, since they need not be UTF-8."""
        plain = replace(self.work, parameters=dict(self.work.parameters))
        return msgspec.json.encode(replace(self, work=plain), enc_hook=os.fsencode)

    @classmethod
    def from_json(cls, text: bytes) -> RunRequest:
        """Return the request in a text from `to_json` of the same version."""
        return msgspec.json.decode(text, type=cls, dec_hook=_path)


def _path(kind: type, value: Any) -> Any:
    return Path(os.fsdecode(b64decode(value))) if kind is Path else value  # else of a parameter


@dataclass(frozen=True, slots=True)
class ProgressMessage:
    """The model called `Report`."""

    step: Step
    fraction: float
    message: str
    resumed: str = ""
    remaining_seconds: float | None = None
    quality: Mapping[str, int | float | str] | None = None


@dataclass(frozen=True, slots=True)
class FailureMessage:
    """The model raised `ModelFailure`, or Python ran out of memory or disk."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class DefectMessage:
    """The model raised any other exception; `text` is the traceback."""

    text: str


@dataclass(frozen=True, slots=True)
class ExitMessage:
    """The model's process has exited with that code or, if negative, by that signal (as in `subprocess`)."""

    code: int
    cpu_seconds: float = 0.0  # of the process and its children, user and system


ModelMessage = ProgressMessage | Result | FailureMessage | DefectMessage | ExitMessage

_KINDS: Final[Mapping[str, type[ModelMessage]]] = {
    kind.__name__: kind for kind in (ProgressMessage, Result, FailureMessage, DefectMessage, ExitMessage)
}


def encode(message: ModelMessage) -> bytes:
    """Return the message as one line, with its newline. Texts are shortened, a traceback at its beginning."""
    texts = {field.name: getattr(message, field.name) for field in fields(message)}
    part = slice(-_MAX_TEXT_CHARS, None) if isinstance(message, DefectMessage) else slice(_MAX_TEXT_CHARS)
    changes: dict[str, Any] = {name: _text(text[part]) for name, text in texts.items() if isinstance(text, str)}
    if isinstance(message, ProgressMessage | Result) and message.quality:
        items = list(message.quality.items())[:MAX_QUALITY_ITEMS]
        changes["quality"] = {_text(str(name)): _plain(value) for name, value in items}
    line = [type(message).__name__, replace(message, **changes)]
    return msgspec.json.encode(line, enc_hook=lambda number: number.item()) + b"\n"  # numpy's numbers


def decode(line: bytes) -> ModelMessage | None:
    """Return the message in that line; None if it is malformed."""
    try:
        kind, content = msgspec.json.decode(line, type=tuple[str, msgspec.Raw])
        return msgspec.json.decode(content, type=_KINDS[kind])
    except (msgspec.MsgspecError, KeyError, UnicodeDecodeError, RecursionError):
        return None


def _plain(value: object) -> int | float | str:
    """Return the value as a number or a text: a model's quality may contain numpy's numbers, and JSON has no NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        item = getattr(value, "item", None)
        value = item() if callable(item) else value
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return value
    return _text(str(value))


def _text(text: str) -> str:
    return text.encode(errors="replace").decode()  # a file's name may hold half of a surrogate pair
