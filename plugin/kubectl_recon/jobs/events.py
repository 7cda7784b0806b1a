"""Event about a job, as the API server stores it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kubectl_recon.jobs.times import parse_time


@dataclass(frozen=True, slots=True)
class JobEvent:
    """An Event about a job."""

    job: tuple[str, str]  # namespace and name
    kind: str  # Normal | Warning
    reason: str
    text: str
    when: datetime | None = None

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> JobEvent:
        """Parse an Event of the core API."""
        about = body.get("involvedObject", {})
        when = body.get("lastTimestamp") or body.get("eventTime") or body["metadata"].get("creationTimestamp")
        return cls(
            (str(about.get("namespace", "")), str(about.get("name", ""))),
            str(body.get("type", "")),
            str(body.get("reason", "")),
            " ".join(str(body.get("message") or "").split()),
            parse_time(when),
        )
