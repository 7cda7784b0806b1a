"""Notifications: events about a job for receivers outside the cluster, kept in its status until they are sent."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from reconstruction_operator.api.shapes import member, shape
from reconstruction_operator.api.verdict import Verdict


class NotificationState(enum.StrEnum):
    """What became of a notification."""

    PENDING = "Pending"  # not delivered yet
    SENT = "Sent"
    DROPPED = "Dropped"  # no receiver accepted it in time


CANCEL_REQUESTED: Final = "CancelRequested"
WAITING: Final = "Waiting"


@dataclass(frozen=True, slots=True)
class Notification:
    """One event about the job for a receiver outside the cluster. Kind and attempt are its key."""

    kind: str = field(
        metadata=shape(
            "The verdict on the ended job, or why the job needs a person.",
            required=True,
            choices=(*(verdict.value for verdict in Verdict), CANCEL_REQUESTED, WAITING),
        )
    )
    attempt: int = member(1, "Number of the attempt.", required=True, minimum=1)
    time: datetime | None = member(None, "When it happened.")
    state: NotificationState = member(NotificationState.PENDING, "Whether a receiver has it.")


def unsent(notifications: tuple[Notification, ...]) -> tuple[Notification, ...]:
    """Return those that are not delivered yet."""
    return tuple(event for event in notifications if event.state is NotificationState.PENDING) if notifications else ()
