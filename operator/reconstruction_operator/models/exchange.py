"""Model messages: what a worker and the process of an isolated model send each other.

    worker -> process   a JSON file (`RunRequest`); then one byte a second on stdin, as a sign of life
    process -> worker   lines of JSON (`Message`) on a separate file descriptor: native libraries print to stdout
    worker -> process   the answer to each `PartMessage` (a `PartTurn`), a line of JSON on another file descriptor

Native code can damage the process in any way. So `decode` returns None for a malformed line, and never raises.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass, replace
from pathlib import Path

import msgspec

from reconstruction_operator.models.interface import MAX_QUALITY, PartTurn, Placement, Result, Step, Work

MAX_LINE_BYTES = 65_536
MAX_TEXT_CHARS = 2_000


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A request to run the model of that name."""

    model: str
    work: Work
    silence_seconds: float  # silence of the worker after which the process exits

    def to_json(self) -> str:
        """Return the request as a JSON text."""
        plain = replace(self.work, parameters=dict(self.work.parameters), parts=None)
        return json.dumps(asdict(replace(self, work=plain)), default=str)

    @classmethod
    def from_json(cls, text: str) -> RunRequest:
        """Return the request in a text from `to_json` of the same version."""
        return msgspec.convert(
            json.loads(text), cls, dec_hook=lambda kind, value: Path(value) if kind is Path else value
        )


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
class ElsewhereMessage:
    """The model raised `StageElsewhere`."""

    stage: str


@dataclass(frozen=True, slots=True)
class PartMessage:
    """The model called `Work.parts`, and waits for the answer."""

    stage: str
    count: int
    made: int | None = None


@dataclass(frozen=True, slots=True)
class DefectMessage:
    """The model raised any other exception; `text` is the traceback."""

    text: str


@dataclass(frozen=True, slots=True)
class ExitMessage:
    """The model's process has exited with that code or, if negative, by that signal (as in `subprocess`)."""

    code: int
    cpu_seconds: float = 0.0  # of the process and its children, user and system


ModelMessage = ProgressMessage | Result | FailureMessage | ElsewhereMessage | PartMessage | DefectMessage | ExitMessage
_KINDS: Mapping[str, type[ModelMessage]] = {
    "progress": ProgressMessage,
    "result": Result,
    "failure": FailureMessage,
    "elsewhere": ElsewhereMessage,
    "part": PartMessage,
    "defect": DefectMessage,
    "exit": ExitMessage,
}


def encode(message: ModelMessage) -> bytes:
    """Return the message as one line, with its newline."""
    kind = next(name for name, its_type in _KINDS.items() if isinstance(message, its_type))
    if isinstance(message, ProgressMessage | Result) and message.quality is not None:
        message = replace(message, quality=_numbers(message.quality))
    cut = {name: value[:MAX_TEXT_CHARS] if isinstance(value, str) else value for name, value in asdict(message).items()}
    return json.dumps({"kind": kind, **cut}, default=float).encode() + b"\n"  # numpy's numbers become plain ones


def encode_turn(turn: PartTurn) -> bytes:
    """Return the answer to a `PartMessage` as one line, with its newline."""
    return json.dumps(asdict(turn)).encode() + b"\n"


def decode_turn(line: bytes) -> PartTurn:
    """Return the answer in a line of `encode_turn`."""
    return msgspec.json.decode(line, type=PartTurn)


def decode(line: bytes) -> ModelMessage | None:
    """Return the message in that line; None if it is malformed."""
    try:
        document = json.loads(line)
        message = msgspec.convert(document, _KINDS[document["kind"]])
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    return message if _is_finite(message) else None


def _is_finite(message: ModelMessage) -> bool:
    """Return whether no number that is computed with is NaN or infinite, which JSON may hold."""
    match message:
        case ProgressMessage(fraction=number) | ExitMessage(cpu_seconds=number):
            return math.isfinite(number)
        case Result(placement=Placement() as placement):
            *single, rotation = astuple(placement)
            return all(map(math.isfinite, (*single, *rotation)))
    return True


def _numbers(quality: Mapping[str, object]) -> dict[str, int | float | str]:
    return {str(name): _plain(value) for name, value in list(dict(quality).items())[:MAX_QUALITY]}


def _plain(value: object) -> int | float | str:
    """Return the value as a number or a text: a model's quality may contain numpy's numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        item = getattr(value, "item", None)
        value = item() if callable(item) else value
    return value if isinstance(value, int | float | str) and not isinstance(value, bool) else str(value)
