"""Preflight: a worker's check of a waiting job's input. This module has the request and the result.

Both are hints. If one is lost, the operator requests the preflight again, and the run checks everything itself.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass, field
from typing import Any, Final, Self

from reconstruction_operator.api import codec
from reconstruction_operator.api.identity import JobRef, check_job_id

_MAX_TEXT: Final = 2_048
_MAX_MESSAGE: Final = 1_000


class Usability(enum.StrEnum):
    """What a preflight found."""

    USABLE = "Usable"
    UNUSABLE = "Unusable"  # the run would fail, for `reason` and `message`
    UNKNOWN = "Unknown"  # the worker could not decide, for the reason in `message`


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """The request of a preflight. `token` is random, so that the result of an earlier request is ignored."""

    job: JobRef
    token: str
    model: str
    uri: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def to_text(self) -> str:
        """Return the request as JSON."""
        return json.dumps(codec.encode(self), separators=(",", ":"), default=dict)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Return the request in a JSON text. Raises ValueError or RecursionError if it is malformed."""
        try:
            request = codec.decode(cls, json.loads(text))
        except TypeError as error:
            raise ValueError("a text of the request is missing") from error
        if max(map(len, (*astuple(request.job), request.token, request.model, request.uri))) > _MAX_TEXT:
            raise ValueError("a text of the request is too long")
        check_job_id(request.job.uid)
        return request


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of a preflight."""

    usability: Usability
    token: str = ""
    reason: str = ""  # a code of `contract.outcomes`, if the input is unusable
    message: str = ""
    worker: str = ""

    def to_text(self) -> str:
        """Return the result as JSON."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self | None:
        """Return the result in a JSON object; None if its usability is missing or unknown."""
        usability = data.get("usability")
        if usability not in tuple(Usability):
            return None
        token, reason, message, worker = (
            str(data.get(name) or "") for name in ("token", "reason", "message", "worker")
        )
        return cls(Usability(usability), token[:_MAX_TEXT], reason[:64], message[:_MAX_MESSAGE], worker[:_MAX_TEXT])
