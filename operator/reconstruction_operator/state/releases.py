"""Releases of deletions that the brake holds: the calls of an administrator's command, and what the operator reads.

They need no fencing token: the leader alone decides what is held, and cleans up what was released.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.state import fields
from reconstruction_operator.state.calls import Call, UnexpectedReplyError, script
from reconstruction_operator.state.replies import HeldCounts


def release_held(
    keys: Keys, install_id: str, *, namespaces: Sequence[str] = (), every: bool = False
) -> Call[HeldCounts]:
    """Release the held deletions of these namespaces, or of every namespace. Return the numbers after that."""

    def read(reply: Any) -> HeldCounts:
        match reply:
            case [[*held], [*released]]:
                return HeldCounts(_counts(held), _counts(released))
            case _:
                raise UnexpectedReplyError("release_held", reply)

    names = (keys.held(install_id), keys.released(install_id))
    return Call(script("release_held"), names, (int(every), *namespaces), read)


def list_released(keys: Keys, install_id: str) -> Call[Mapping[str, str]]:
    """Return the kind of each released orphan, by job id."""

    def read(reply: Any) -> Mapping[str, str]:
        texts = zip(reply[::2], reply[1::2], strict=True)
        return {job_id: text.partition("/")[0] for job_id, text in texts}

    return Call(script("list_released"), (keys.released(install_id),), (), read)


def _counts(flat: Sequence[Any]) -> Mapping[str, int]:
    return {fields.plain(namespace): int(number) for namespace, number in zip(flat[::2], flat[1::2], strict=True)}
