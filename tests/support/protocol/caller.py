"""Caller: makes the calls of an operator and of workers on a Redis, with few arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import redis
from reconstruction_operator.api.identity import AttemptRef
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import End, Record
from reconstruction_operator.state import calls, operator_calls, reads, worker_calls
from reconstruction_operator.state.replies import BeatReply, ClaimReply, FinishReply

from tests.support.refs import make_attempt

LEADER: Final[dict[str, Any]] = {"fence": 5, "install_id": "install"}
TASK: Final = make_attempt(namespace="ns", name="a-name", install_id="install")
RUN: Final[dict[str, Any]] = {"attempt": TASK, "token": "first"}
SUCCESS: Final = End(Outcome.SUCCEEDED, worker="w")


def attempt_of(job_id: str, number: int = 1, **of: Any) -> AttemptRef:
    """Return an attempt of a job, by default with the place of `TASK`."""
    return make_attempt(job_id, number, **{"namespace": "ns", "name": "a-name", "install_id": "install"} | of)


class Caller:
    """Calls on one Redis; without other arguments those of the leader, or of the first run of attempt 1."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self.client = client
        self.keys = keys

    def __call__(self, make: Callable[..., calls.Call[Any]], *args: Any, **kwargs: Any) -> Any:
        return calls.run(self.client, make(self.keys, *args, **kwargs))

    def order(self, make: Callable[..., calls.Call[Any]], **what: Any) -> Any:
        """Make a call of the leader."""
        return self(make, **LEADER, **what)

    def want(self, number: int = 1, job_id: str = "job", **of: Any) -> Record:
        """Put the record of an attempt; return the record that is then valid."""
        return self.order(operator_calls.put_record, attempt=attempt_of(job_id, number, **of))

    def claim(self, run: dict[str, Any] = RUN) -> ClaimReply:
        return self(worker_calls.claim, **run, worker="w")

    def beat(self, run: dict[str, Any] = RUN) -> BeatReply:
        return self(worker_calls.beat, **run, worker="w", life="life")

    def finish(self, run: dict[str, Any] = RUN, end: End = SUCCESS) -> FinishReply:
        return self(worker_calls.finish, **run, end=end)

    def seen(self, job_id: str = "job") -> Any:  # not `ObservedJob`, whose parts may be None
        """Observe attempt 1 of a job."""
        return self(reads.observe, [(job_id, 1)]).jobs[0]

    def flag(self, change: operator_calls.FlagChange, **leader: Any) -> None:
        """Change the flags of the job's cancel."""
        self(operator_calls.change_flags, job_id="job", change=change, **(leader or LEADER))

    def end(self, end: End, attempt: AttemptRef = TASK, *, is_lost: bool = False) -> Any:  # not `End`: it may be None
        """End an attempt as the operator does, and return the end that counts."""
        return self.order(operator_calls.end_attempt, attempt=attempt, end=end, is_lost=is_lost)
