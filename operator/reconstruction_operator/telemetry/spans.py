"""Spans of a job's trace. Their ids are derived from the job, attempt and step."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

OPERATOR: Final = "reconstruction-operator"
WORKER: Final = "reconstruction-worker"

_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")  # W3C Trace Context


@dataclass(frozen=True, slots=True)
class SpanIds:
    """The ids of a span: 16 and 8 bytes, as hex."""

    trace_id: str
    span_id: str

    def __str__(self) -> str:
        """Return the ids as in the header `traceparent`, sampled."""
        return f"00-{self.trace_id}-{self.span_id}-01"

    @classmethod
    def parse(cls, text: str) -> SpanIds | None:
        """Return the ids in a `traceparent`; None for any other text."""
        match = _TRACEPARENT.fullmatch(text)
        if match is None or not int(match[1], 16) or not int(match[2], 16):
            return None
        return cls(match[1], match[2])

    def child(self, *about: object) -> SpanIds:
        """Return the ids of a child span. They are equal for equal arguments."""
        return SpanIds(self.trace_id, _digest("/".join([self.span_id, *map(str, about)]))[:16])


@dataclass(frozen=True, slots=True)
class Span:
    """A finished operation. `error` is the cause of its failure, or empty."""

    service: str  # OPERATOR or WORKER
    name: str
    ids: SpanIds
    parent: SpanIds | None
    start: datetime
    end: datetime
    attributes: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    error: str = ""


def of_job(job_id: str) -> SpanIds:
    """Return the ids of the root of a job's trace. Its trace id is the uid of the object, without dashes."""
    try:
        trace_id = uuid.UUID(job_id).hex
    except ValueError:  # a bare `delay("test123")`
        trace_id = _digest(job_id)[:32]
    return SpanIds(trace_id, _digest(f"job/{job_id}")[:16])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
