"""Events: the notifications that the receiver of the run has accepted."""

from __future__ import annotations

from devcluster.servers.receiver import Receiver

_UID_LENGTH = 36


def read(receiver: Receiver) -> dict[str, list[str]]:
    """Return by job the ids of the accepted events without its uid, such as `1-Fine`, in order and with repetitions."""
    events: dict[str, list[str]] = {}
    for event in receiver.accepted():
        events.setdefault(event.id[:_UID_LENGTH], []).append(event.id[_UID_LENGTH + 1 :])
    return events
