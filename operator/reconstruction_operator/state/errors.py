"""Errors of the protocol. Callers must also expect the errors of redis-py.

ProtocolError
├── DeposedError           a newer leader has acted: this operator must stop
└── UnexpectedReplyError   a script's reply has an unknown form: a defect, or mixed versions
"""

from __future__ import annotations


class ProtocolError(Exception):
    """Base of the errors below."""


class DeposedError(ProtocolError):
    """The operator's scripts were refused, and changed nothing, because a higher fence was seen."""

    def __init__(self, *, fence: int, seen: int) -> None:
        super().__init__(f"deposed: this operator's fence is {fence}, but {seen} was seen in Redis")
        self.seen = seen


class UnexpectedReplyError(ProtocolError):
    """A script's reply has a form that this version does not know."""

    def __init__(self, script: str, reply: object) -> None:
        super().__init__(f"script {script} returned {reply!r:.200}")
