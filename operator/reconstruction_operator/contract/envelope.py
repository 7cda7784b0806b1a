"""Messages: the envelope, the versioned mapping that is the task's `job` argument; and the order to help a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from reconstruction_operator.api import codec
from reconstruction_operator.api.identity import AttemptRef, JobRef
from reconstruction_operator.api.spec import Spec
from reconstruction_operator.contract.attempt import Orders

ENVELOPE_VERSION = 1

_MESSAGE_BYTES: Final = 1_800  # of a message in Redis, besides its parameters and addresses


class EnvelopeError(ValueError):
    """The mapping is malformed or of a newer version; the error's text names the fault."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a worker needs.

    Unknown keys are ignored, so that an older worker accepts a newer operator's message.
    """

    attempt: AttemptRef
    version: int = ENVELOPE_VERSION
    input_uri: str = ""
    output_uri: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    traceparent: str = ""  # W3C Trace Context
    orders: Orders = field(default_factory=Orders)

    @classmethod
    def bare(cls, job_id: str, task_id: str) -> Envelope:
        """Return the envelope of a bare task: its photos are in the job's folder, and no object owns what it leaves."""
        return cls(AttemptRef(JobRef.bare(job_id), 0, bare_id=task_id), orders=Orders(last=True))

    def to_json(self) -> dict[str, Any]:
        """Return the mapping that is sent."""
        return codec.encode(self)

    @classmethod
    def from_json(cls, data: object, job_id: str) -> Envelope:
        """Return the envelope of a message about that job.

        Raises EnvelopeError if `data` is not a mapping, its version is unknown, or its attempt is missing, wrong or
        another job's.
        """
        if not isinstance(data, Mapping):
            raise EnvelopeError(f"the job argument is a {type(data).__name__}, not a mapping")
        version = data.get("version")
        if type(version) is not int or not 1 <= version <= ENVELOPE_VERSION:
            raise EnvelopeError(f"version {version!r:.40} of the job argument is unknown; upgrade the workers")
        try:
            attempt = AttemptRef.from_json(data.get("attempt"))
        except (TypeError, ValueError) as error:
            raise EnvelopeError(f"the attempt of the job argument is malformed: {error}") from error
        if attempt.job_id != job_id:
            raise EnvelopeError(f"the job argument is of the job {attempt.job_id}")
        return codec.decode(cls, data)


@dataclass(frozen=True, slots=True)
class PartOrder:
    """The argument of the task `reconstruction.part`: which run to help, whose stages are made in parts."""

    attempt: AttemptRef
    run: str = ""  # its token
    workspace: str = ""  # name of its workspace's folder

    def to_json(self) -> dict[str, Any]:
        """Return the mapping that is sent."""
        return codec.encode(self)

    @classmethod
    def from_json(cls, data: object) -> PartOrder:
        """Return the order in a mapping of `to_json`. Raises ValueError or TypeError if it is malformed."""
        attempt = AttemptRef.from_json(data.get("attempt") if isinstance(data, Mapping) else None)
        order = replace(codec.decode(cls, data), attempt=attempt)
        if not order.run or not order.workspace or "/" in order.workspace or order.workspace.startswith("."):
            raise ValueError(f"no run is named by {order.run!r:.80} and {order.workspace!r:.80}")
        return order


def message_bytes(spec: Spec) -> int:
    """Return about how many bytes the job's message takes in Redis, which holds the content as base64."""
    parameters = len(json.dumps(spec.parameters)) if spec.parameters else 2
    uris = (spec.input.uri, spec.output.uri if spec.output else "")
    texts = sum(len(uri) + 2 if uri.isascii() else len(json.dumps(uri)) for uri in uris)
    return _MESSAGE_BYTES + (parameters + texts) * 4 // 3
