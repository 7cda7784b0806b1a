"""What a task and the process of an isolated model say to each other.

    task -> process   a file of JSON (`Request`); then, on its stdin, one byte a second: "I am alive"
    process -> task   lines of JSON (`Message`) on a file descriptor of their own: native libraries print to stdout

The process may be hurt in any way by native code, so a line that is not understood is None, never an error.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconstruction_operator.models.interface import Photo, Result, Step, Work

MAX_LINE_BYTES = 65_536
MAX_QUALITY_ITEMS = 16
_MAX_TEXT_CHARS = 2_000


@dataclass(frozen=True, slots=True)
class Request:
    """One run of the model of that name."""

    model: str
    work: Work
    silence_seconds: float  # without a sign of life of the task: the process ends itself

    def to_json(self) -> str:
        """JSON."""
        work = self.work
        document = {
            "model": self.model,
            "silence_seconds": self.silence_seconds,
            "photos": [[str(one.path), one.width, one.height, one.bytes] for one in work.photos],
            "scratch_dir": str(work.scratch_dir),
            "output_dir": str(work.output_dir),
            "parameters": dict(work.parameters),
            "threads": work.threads,
        }
        return json.dumps(document)

    @classmethod
    def from_json(cls, text: str) -> Request:
        """The request of that text, which `to_json` of the same version has made."""
        document = json.loads(text)
        work = Work(
            photos=tuple(Photo(Path(path), width, height, size) for path, width, height, size in document["photos"]),
            scratch_dir=Path(document["scratch_dir"]),
            output_dir=Path(document["output_dir"]),
            parameters=document["parameters"],
            threads=document["threads"],
        )
        return cls(document["model"], work, document["silence_seconds"])


@dataclass(frozen=True, slots=True)
class Progress:
    """A call of `Report`."""

    step: Step
    fraction: float
    message: str


@dataclass(frozen=True, slots=True)
class Failure:
    """The model raised `ModelFailure`, or ran out of memory or disk in a way that Python noticed."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Defect:
    """The model raised anything else."""

    text: str


@dataclass(frozen=True, slots=True)
class Exit:
    """The process of the model has ended; exactly one of both is not None."""

    code: int | None
    signal: int | None


Message = Progress | Result | Failure | Defect | Exit


def encode(message: Message) -> bytes:
    """One line."""
    document: dict[str, Any]
    match message:
        case Progress(step, fraction, text):
            document = {"kind": "progress", "step": int(step), "fraction": fraction, "message": text[:_MAX_TEXT_CHARS]}
        case Result(quality, simulated):
            kept = dict(list(quality.items())[:MAX_QUALITY_ITEMS])
            document = {"kind": "result", "quality": {str(name): _plain(kept[name]) for name in kept}}
            document["simulated"] = simulated
        case Failure(reason, text):
            document = {"kind": "failure", "reason": reason, "message": text[:_MAX_TEXT_CHARS]}
        case Defect(text):
            document = {"kind": "defect", "text": text[-_MAX_TEXT_CHARS:]}
        case Exit(code, signal):
            document = {"kind": "exit", "code": code, "signal": signal}
    return json.dumps(document).encode() + b"\n"


def decode(line: bytes) -> Message | None:
    """The message of that line, or None if it is none."""
    try:
        document = json.loads(line)
        return _decode(document) if isinstance(document, Mapping) else None
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None


def _decode(document: Mapping[str, Any]) -> Message | None:
    match document["kind"]:
        case "progress":
            fraction = float(document["fraction"])
            if not math.isfinite(fraction):
                return None
            return Progress(Step(document["step"]), fraction, str(document["message"])[:_MAX_TEXT_CHARS])
        case "result":
            quality = {str(name): _plain(value) for name, value in dict(document["quality"]).items()}
            return Result(quality=quality, simulated=document["simulated"] is True)
        case "failure":
            return Failure(str(document["reason"]), str(document["message"]))
        case "defect":
            return Defect(str(document["text"]))
        case "exit":
            code, signal = document["code"], document["signal"]
            return Exit(None if code is None else int(code), None if signal is None else int(signal))
    return None


def _plain(value: object) -> int | float | str:
    """A number or a text: a model may put numpy's numbers into its quality."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        item = getattr(value, "item", None)
        value = item() if callable(item) else value
    return value if isinstance(value, int | float | str) and not isinstance(value, bool) else str(value)
