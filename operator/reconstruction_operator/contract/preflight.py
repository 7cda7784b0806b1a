"""Checks of inputs before a worker is free: what the operator asks of a worker, and what that answers.

Both are hints. A lost request or answer costs nothing, since the operator asks again and the run checks everything itself.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from reconstruction_operator.api.identity import check_job_id

_MAX_TEXT: Final = 2_048
_MAX_MESSAGE: Final = 1_000
_MAX_COUNT: Final = 2**53


class Verdict(enum.StrEnum):
    """What a check found."""

    USABLE = "Usable"
    UNUSABLE = "Unusable"  # the run would fail: `reason` and `message` say why
    UNKNOWN = "Unknown"  # the worker could not find out; `message` says why


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """Which input to check. `token` is random, so that an answer to an earlier request is ignored."""

    job_id: str
    token: str
    install_id: str
    namespace: str
    model: str
    uri: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def to_text(self) -> str:
        """As JSON."""
        return json.dumps(
            {
                "jobId": self.job_id,
                "token": self.token,
                "installId": self.install_id,
                "namespace": self.namespace,
                "model": self.model,
                "uri": self.uri,
                "parameters": self.parameters,
            },
            separators=(",", ":"),
            default=dict,
        )

    @classmethod
    def from_text(cls, text: str) -> Self:
        """From JSON. Raises ValueError."""
        data = json.loads(text)
        if not isinstance(data, dict):
            raise ValueError("a request is an object")  # noqa: TRY004  # one error for every malformed text
        names = ("token", "installId", "namespace", "model", "uri")
        if not all(isinstance(data.get(name), str) and len(data[name]) <= _MAX_TEXT for name in names):
            raise ValueError("a request lacks a text")
        parameters = data.get("parameters")
        token, install_id, namespace, model, uri = (str(data[name]) for name in names)
        its = parameters if isinstance(parameters, dict) else {}
        return cls(check_job_id(data.get("jobId")), token, install_id, namespace, model, uri, its)


@dataclass(frozen=True, slots=True)
class Checked:
    """The answer."""

    verdict: Verdict
    token: str = ""
    reason: str = ""  # a code of `contract.outcomes`, if it is unusable
    message: str = ""
    worker: str = ""

    def to_text(self) -> str:
        """As JSON."""
        its = {"verdict": self.verdict, "token": self.token, "reason": self.reason, "message": self.message}
        return json.dumps({**its, "worker": self.worker}, separators=(",", ":"))

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self | None:
        """The answer in a JSON text; None if the text holds none."""
        verdict = data.get("verdict")
        if verdict not in set(Verdict):
            return None
        token, reason, message, worker = (
            str(data.get(name) or "") for name in ("token", "reason", "message", "worker")
        )
        return cls(Verdict(verdict), token[:_MAX_TEXT], reason[:64], message[:_MAX_MESSAGE], worker[:_MAX_TEXT])
