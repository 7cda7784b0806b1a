"""Status patches: what differs, as a JSON patch (RFC 6902) that holds for one object alone.

Its first operations test `metadata.uid`, so that a new object of the same name is never written by mistake, and
`metadata.resourceVersion`, so that nothing is written over what we have not seen: a leader that stood still in the middle of
a write would else, when it wakes up, put its old progress over its successor's. A merge patch that carries the uid would not
do: the server takes metadata of a status write from the stored object and does not compare it (seen on 1.36).
"""

from __future__ import annotations

from typing import Any, Final

from reconstruction_operator.api import codec
from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.status import Status

Operation = dict[str, Any]

# The server's message where a patch does not fit the object: another one, or a newer version. It says no more (seen on 1.36),
# and what its rules and the schema refuse has a message of its own.
DOES_NOT_FIT: Final = "the server rejected our request due to an error in our request"


def same(stored: Status, wanted: Status) -> bool:
    """Whether there is nothing to write."""
    return bool(codec.encode(stored) == codec.encode(wanted))


def status_patch(key: JobKey, version: int, stored: Status, wanted: Status, *, whole: bool) -> list[Operation] | None:
    """The body of a PATCH of /status of the object in that version, or None if nothing differs.

    `whole` replaces the status: for changes of phase, after which nothing stale may be left even if our view of what is
    stored was old. Otherwise only the fields that differ are sent.
    """
    before, after = codec.encode(stored), codec.encode(wanted)
    if before == after:
        return None
    changes = [{"op": "add", "path": "/status", "value": after}] if whole else _differences(before, after)
    return [
        {"op": "test", "path": "/metadata/uid", "value": key.uid},
        {"op": "test", "path": "/metadata/resourceVersion", "value": str(version)},
        *changes,
    ]


def _differences(before: dict[str, Any], after: dict[str, Any]) -> list[Operation]:
    """Field by field; "add" sets a member whether it is there or not."""
    gone = [{"op": "remove", "path": f"/status/{name}"} for name in before if name not in after]
    new = [
        {"op": "add", "path": f"/status/{name}", "value": value}
        for name, value in after.items()
        if before.get(name) != value
    ]
    return [*gone, *new]
