"""Preflight: a worker's check of a waiting job's input. This module has the request and the result.

Both are hints. If one is lost, the operator requests the preflight again, and the run checks everything itself.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Self

from reconstruction_operator.api.identity import check_job_id

# Fields of a request, by their names in JSON
_TEXTS: Final = {"job_id": "jobId", "install_id": "installId"} | {
    name: name for name in ("token", "namespace", "model", "uri")
}
_MAX_TEXT: Final = 2_048
_MAX_MESSAGE: Final = 1_000


class Verdict(enum.StrEnum):
    """What a preflight found."""

    USABLE = "Usable"
    UNUSABLE = "Unusable"  # the run would fail, for `reason` and `message`
    UNKNOWN = "Unknown"  # the worker could not decide, for the reason in `message`


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """The request of a preflight. `token` is random, so that the result of an earlier request is ignored."""

    job_id: str
    token: str
    install_id: str
    namespace: str
    model: str
    uri: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def to_text(self) -> str:
        """Return the request as JSON."""
        texts = {name: getattr(self, field) for field, name in _TEXTS.items()}
        return json.dumps({**texts, "parameters": self.parameters}, separators=(",", ":"), default=dict)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Return the request in a JSON text. Raises ValueError if it is malformed."""
        data = json.loads(text)
        if not isinstance(data, dict):
            raise ValueError("a request must be a JSON object")  # noqa: TRY004  # one error for every malformed text
        texts = {field: data.get(name) for field, name in _TEXTS.items()}
        if not all(isinstance(value, str) and len(value) <= _MAX_TEXT for value in texts.values()):
            raise ValueError("a text of the request is missing or too long")
        check_job_id(data["jobId"])
        parameters = data.get("parameters")
        return cls(**texts, parameters=parameters if isinstance(parameters, dict) else {})  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of a preflight."""

    verdict: Verdict
    token: str = ""
    reason: str = ""  # a code of `contract.outcomes`, if the input is unusable
    message: str = ""
    worker: str = ""

    def to_text(self) -> str:
        """Return the result as JSON."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self | None:
        """Return the result in a JSON object; None if its verdict is missing or unknown."""
        verdict = data.get("verdict")
        if verdict not in set(Verdict):
            return None
        token, reason, message, worker = (
            str(data.get(name) or "") for name in ("token", "reason", "message", "worker")
        )
        return cls(Verdict(verdict), token[:_MAX_TEXT], reason[:64], message[:_MAX_MESSAGE], worker[:_MAX_TEXT])
