"""Spans: what `tracing` makes of a job's life, and `otlp` exports."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

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
        return SpanIds(self.trace_id, digest("/".join([self.span_id, *map(str, about)]))[:16])


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
    links: Sequence[SpanIds] = ()  # spans that this one follows, but is no part of


def digest(text: str) -> str:
    """Return the SHA-256 of a text, in hexadecimal: ids are parts of it."""
    return hashlib.sha256(text.encode()).hexdigest()
