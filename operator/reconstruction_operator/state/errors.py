"""What can go wrong in the protocol, beside what redis-py raises itself.

ProtocolError
├── DeposedError           a newer leader has been here: this operator must stop acting
└── UnexpectedReplyError   a script answered what this version does not know: mixed versions, or a defect
"""

from __future__ import annotations


class ProtocolError(Exception):
    """Any of the errors below."""


class DeposedError(ProtocolError):
    """The operator's scripts were refused, and changed nothing, because a higher fence was seen."""

    def __init__(self, *, fence: int, seen: int) -> None:
        super().__init__(f"deposed: this operator's fence is {fence}, but {seen} was seen in Redis")
        self.fence = fence
        self.seen = seen


class UnexpectedReplyError(ProtocolError):
    """A script's answer could not be understood."""

    def __init__(self, script: str, reply: object) -> None:
        super().__init__(f"script {script} answered {reply!r:.200}")
        self.script = script
        self.reply = reply
