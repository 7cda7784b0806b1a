"""What a user asks for: `.spec`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PRIORITIES = ("low", "normal", "high")


@dataclass(frozen=True, slots=True)
class Location:
    """Where photos come from, or where a mesh goes."""

    uri: str = ""


@dataclass(frozen=True, slots=True)
class Spec:
    """The wish, as the API server admitted it. Defaults are the CRD's."""

    model_type: str = "photogrammetry"
    input: Location = field(default_factory=Location)
    output: Location | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    queue: str = "celery"
    priority: str = "normal"
    suspend: bool = False
    cancel_requested: bool = False
    cancel_confirmed: bool = False
    backoff_limit: int = 2
    active_deadline_seconds: int | None = None
    queue_deadline_seconds: int | None = None
    ttl_seconds_after_finished: int | None = None
    managed_by: str | None = None


def queue_name(queue: str, priority: str) -> str:
    """The Celery queue: `<queue>-high`, `<queue>` or `<queue>-low`."""
    return queue if priority == "normal" else f"{queue}-{priority}"
