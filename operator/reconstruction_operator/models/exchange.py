"""Model messages: what a worker and the process of an isolated model send each other.

    worker -> process   a JSON file (`RunRequest`); then one byte a second on stdin, as a sign of life
    process -> worker   lines of JSON (`Message`) on a separate file descriptor: native libraries print to stdout

Native code can damage the process in any way. So `decode` returns None for a malformed line, and never raises.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from reconstruction_operator.models.interface import Photo, Placement, Result, StageFolder, Step, Work

MAX_LINE_BYTES = 65_536
MAX_QUALITY_ITEMS = 16
_MAX_TEXT_CHARS = 2_000


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A request to run the model of that name."""

    model: str
    work: Work
    silence_seconds: float  # silence of the worker after which the process exits

    def to_json(self) -> str:
        """Return the request as a JSON text."""
        plain = replace(self.work, parameters=dict(self.work.parameters))
        return json.dumps(asdict(replace(self, work=plain)), default=str)

    @classmethod
    def from_json(cls, text: str) -> RunRequest:
        """Return the request in a text from `to_json` of the same version."""
        document = json.loads(text)
        work = _with_paths(document["work"], "scratch_dir", "output_dir")
        photos = tuple(Photo(**_with_paths(photo, "path", "mask")) for photo in work["photos"])
        stages = work["stages"] and StageFolder(**_with_paths(work["stages"], "path"))
        return cls(**document | {"work": Work(**work | {"photos": photos, "stages": stages})})


def _with_paths(document: dict[str, Any], *names: str) -> dict[str, Any]:
    return document | {name: Path(document[name]) for name in names if document[name] is not None}


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


def encode(message: ModelMessage) -> bytes:
    """Return the message as one line, with its newline."""
    document: dict[str, Any]
    match message:
        case ProgressMessage(step, fraction, text, resumed, remaining, quality):
            document = {"kind": "progress", "step": int(step), "fraction": fraction, "message": text[:_MAX_TEXT_CHARS]}
            document |= {"resumed": resumed[:_MAX_TEXT_CHARS]} if resumed else {}
            document |= {} if remaining is None else {"remaining": float(remaining)}
            document |= {"quality": _numbers(quality)} if quality else {}
        case Result(quality, simulated, warning, placement):
            document = {"kind": "result", "quality": _numbers(quality)}
            document |= {"simulated": simulated, "warning": warning[:_MAX_TEXT_CHARS]}
            document["placement"] = None if placement is None else asdict(placement)
        case FailureMessage(reason, text):
            document = {"kind": "failure", "reason": reason, "message": text[:_MAX_TEXT_CHARS]}
        case DefectMessage(text):
            document = {"kind": "defect", "text": text[-_MAX_TEXT_CHARS:]}
        case ExitMessage(code, cpu_seconds):
            document = {"kind": "exit", "code": code, "cpu": cpu_seconds}
    return json.dumps(document).encode() + b"\n"


def decode(line: bytes) -> ModelMessage | None:
    """Return the message in that line; None if it is malformed."""
    try:
        document = json.loads(line)
        return _decode(document) if isinstance(document, Mapping) else None
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None


def _decode(document: Mapping[str, Any]) -> ModelMessage | None:
    match document["kind"]:
        case "progress":
            fraction, remaining = float(document["fraction"]), document.get("remaining")
            if not math.isfinite(fraction):
                return None
            message, resumed = str(document["message"]), str(document.get("resumed", ""))
            return ProgressMessage(
                Step(document["step"]),
                fraction,
                message[:_MAX_TEXT_CHARS],
                resumed[:_MAX_TEXT_CHARS],
                None if remaining is None else float(remaining),
                _numbers(document["quality"]) if document.get("quality") else None,
            )
        case "result":
            quality = _numbers(document["quality"])
            placement = None if document["placement"] is None else _placement(document["placement"])
            return Result(quality, document["simulated"] is True, str(document["warning"]), placement)
        case "failure":
            return FailureMessage(str(document["reason"]), str(document["message"]))
        case "defect":
            return DefectMessage(str(document["text"]))
        case "exit":
            cpu_seconds = float(document["cpu"])
            return ExitMessage(int(document["code"]), cpu_seconds if math.isfinite(cpu_seconds) else 0.0)
    return None


def _placement(data: Mapping[str, Any]) -> Placement:
    rotation = tuple(_finite(number) for number in data["rotation"])
    single = {name: _finite(value) for name, value in data.items() if name != "rotation"}
    return Placement(**single, rotation=rotation)


def _numbers(quality: Mapping[str, object]) -> dict[str, int | float | str]:
    return {str(name): _plain(value) for name, value in list(dict(quality).items())[:MAX_QUALITY_ITEMS]}


def _finite(value: object) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r:.40} is not a finite number")
    return float(value)


def _plain(value: object) -> int | float | str:
    """Return the value as a number or a text: a model's quality may contain numpy's numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        item = getattr(value, "item", None)
        value = item() if callable(item) else value
    return value if isinstance(value, int | float | str) and not isinstance(value, bool) else str(value)
