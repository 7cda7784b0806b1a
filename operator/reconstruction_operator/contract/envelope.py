"""Envelope of a message: the versioned mapping that is the task's `job` argument."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from reconstruction_operator.api import codec
from reconstruction_operator.api.identity import MAX_ATTEMPT
from reconstruction_operator.api.spec import Spec
from reconstruction_operator.contract.attempt import Orders

ENVELOPE_VERSION = 1

_MESSAGE_BYTES: Final = 1_800  # of a message in Redis, besides its parameters and addresses


class EnvelopeError(ValueError):
    """The mapping is malformed or of a newer version; the error's text names the fault."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """The job as a worker needs it.

    Unknown keys are ignored, so that an older worker accepts a newer operator's message.
    """

    version: int = ENVELOPE_VERSION
    install_id: str = ""
    namespace: str = ""
    namespace_uid: str = ""  # empty: not known, so the job takes over nothing
    name: str = ""
    attempt: int = 1
    input_uri: str = ""
    output_uri: str = ""
    queue: str = "celery"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    traceparent: str = ""  # W3C Trace Context
    orders: Orders = field(default_factory=Orders)

    def to_json(self) -> dict[str, Any]:
        """Return the mapping that is sent."""
        return codec.encode(self)

    @classmethod
    def from_json(cls, data: object) -> Envelope:
        """Return the envelope of a message.

        Raises EnvelopeError if `data` is not a mapping, its version is unknown, or its attempt is missing or wrong.
        """
        if not isinstance(data, Mapping):
            raise EnvelopeError(f"the job argument is a {type(data).__name__}, not a mapping")
        version = data.get("version")
        if type(version) is not int or not 1 <= version <= ENVELOPE_VERSION:
            raise EnvelopeError(f"version {version!r:.40} of the job argument is unknown; upgrade the workers")
        attempt = data.get("attempt")
        if type(attempt) is not int or not 1 <= attempt <= MAX_ATTEMPT:
            raise EnvelopeError(f"attempt {attempt!r:.40} of the job argument is not a whole number from 1")
        return codec.decode(cls, data)


def message_bytes(spec: Spec) -> int:
    """Return about how many bytes the job's message takes in Redis, which holds the content as base64."""
    parameters = len(json.dumps(spec.parameters)) if spec.parameters else 2
    uris = (spec.input.uri, spec.output.uri if spec.output else "")
    texts = sum(len(uri) + 2 if uri.isascii() else len(json.dumps(uri)) for uri in uris)
    return _MESSAGE_BYTES + (parameters + texts) * 4 // 3
