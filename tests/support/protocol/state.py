"""The one model of the protocol: what each script returns and changes, as pure functions over keys, values and TTLs.

With a clock it stands in for Redis (`State.run`): a test of decisions needs no server then. Without one it is what the
scripts are compared with on a real Redis: times are matchers (`NOW`), since only Redis knows them.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

from reconstruction_operator.state.calls import Call

from tests.support.protocol import operator_rules, read_rules, worker_rules
from tests.support.protocol.contents import Contents
from tests.support.protocol.rules import Rule

T = TypeVar("T")

RULES: Final[dict[str, Rule]] = {**worker_rules.RULES, **operator_rules.RULES, **read_rules.RULES}


class State(Contents):
    """The contents of a Redis, on which calls can be run."""

    def run(self, call: Call[T]) -> T:
        """Run a call, as `calls.run` does on a Redis. Needs a clock."""
        return call.read(RULES[call.script.name](self, list(call.keys), list(call.args)))


def expected(before: State, call: Call[Any]) -> tuple[Any, State]:
    """Return the reply to a call, and what Redis holds afterwards."""
    after = before.copy()
    reply = RULES[call.script.name](after, list(call.keys), list(call.args))
    return reply, after
