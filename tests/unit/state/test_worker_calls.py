"""A worker's calls: what they send, and how each reply of a script is read. The scripts themselves: tests/real/state."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.contract.records import OPERATOR_TOKEN, End
from reconstruction_operator.state import worker_calls
from reconstruction_operator.state.errors import UnexpectedReplyError
from reconstruction_operator.state.replies import BeatReply, ClaimReply, ClaimVerdict, FinishReply, FinishVerdict

OWN: dict[str, Any] = {"task_id": "job-1", "job_id": "job", "attempt": 1, "token": "token"}
CLAIM = worker_calls.claim(Keys(), **OWN, worker="w")
BEAT = worker_calls.beat(Keys(), **OWN, worker="w", life="life")
FINISH = worker_calls.finish(Keys(), **OWN, end=End(Outcome.SUCCEEDED, worker="w"))


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="none"),
        pytest.param(OPERATOR_TOKEN, id="the operator's"),
        pytest.param("x" * 257, id="too long"),
        pytest.param("a b", id="with a space"),
    ],
)
def test_a_token_that_cannot_be_a_workers_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="token"):
        worker_calls.claim(Keys(), **(OWN | {"token": token}), worker="w")


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        pytest.param(["claimed", 0, ""], ClaimReply(ClaimVerdict.CLAIMED), id="claimed"),
        pytest.param(["claimed", 1, ""], ClaimReply(ClaimVerdict.CLAIMED, cancelled=True), id="and cancelled"),
        pytest.param(
            ["claimed", 0, "Suspend"], ClaimReply(ClaimVerdict.CLAIMED, stop=StopReason.SUSPEND), id="and stopped"
        ),
        pytest.param(["duplicate"], ClaimReply(ClaimVerdict.DUPLICATE), id="duplicate"),
        pytest.param(["unwanted"], ClaimReply(ClaimVerdict.UNWANTED), id="unwanted"),
        pytest.param(["no-record"], ClaimReply(ClaimVerdict.NO_RECORD), id="no record"),
    ],
)
def test_the_reply_to_a_claim(reply: list[Any], expected: ClaimReply) -> None:
    assert CLAIM.read(reply) == expected


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        pytest.param([1, 0, "", "", 0], BeatReply(owned=True), id="continue"),
        pytest.param([0, 0, "", "", 0], BeatReply(owned=False), id="superseded"),
        pytest.param([1, 1, "", "", 0], BeatReply(owned=True, cancelled=True), id="cancelled"),
        pytest.param([1, 0, "", "", 1], BeatReply(owned=True, requested=True), id="a cancel is requested"),
        pytest.param([1, 0, "a newer reason", "", 0], BeatReply(owned=True), id="an unknown reason"),
        pytest.param(
            [1, 0, "", "1000", 0],
            BeatReply(owned=True, drain_at=datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)),
            id="draining",
        ),
    ],
)
def test_the_reply_to_a_heartbeat(reply: list[Any], expected: BeatReply) -> None:
    assert BEAT.read(reply) == expected


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        pytest.param(["recorded"], FinishReply(FinishVerdict.RECORDED), id="recorded"),
        pytest.param(["cancelled"], FinishReply(FinishVerdict.CANCELLED), id="cancelled"),
        pytest.param(["released"], FinishReply(FinishVerdict.RELEASED), id="released"),
        pytest.param(["superseded"], FinishReply(FinishVerdict.SUPERSEDED), id="superseded"),
    ],
)
def test_the_reply_to_an_end(reply: list[Any], expected: FinishReply) -> None:
    assert FINISH.read(reply) == expected


@pytest.mark.parametrize("call", [CLAIM, BEAT, FINISH], ids=lambda call: str(call.script.name))
@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(None, id="nothing"),
        pytest.param([], id="an empty list"),
        pytest.param("claimed", id="a text"),
        pytest.param(["unheard of"], id="a newer verdict"),
        pytest.param(["claimed", 1], id="a part is missing"),
    ],
)
def test_a_reply_of_another_form_is_an_error_that_names_the_script(call: Any, reply: Any) -> None:
    with pytest.raises(UnexpectedReplyError, match=f"script {call.script.name} returned"):
        call.read(reply)


@pytest.mark.parametrize(("reply", "expected"), [("epoch-1", "epoch-1"), ("", ""), (None, ""), (7, "")])
def test_a_registration_returns_the_epoch_or_nothing(reply: Any, expected: str) -> None:
    call = worker_calls.register_worker(Keys(), node="w", queues=("a",), models=(), version="1", concurrency=2)

    assert call.read(reply) == expected


@pytest.mark.parametrize(
    ("end", "deleted"),
    [
        pytest.param(End(Outcome.CANCELLED), 1, id="cancelled"),
        pytest.param(End(Outcome.CANCELLED, files_left=True), 0, id="cancelled with files left"),
        pytest.param(End(Outcome.FAILED, "TIMEOUT"), 0, id="failed"),
    ],
)
def test_only_a_cancelled_end_without_files_notes_that_they_are_deleted(end: End, deleted: int) -> None:
    assert worker_calls.finish(Keys(), **OWN, end=end).args[-1] == deleted


def test_a_bare_task_sends_no_attempt() -> None:
    bare = worker_calls.claim(Keys(), **(OWN | {"attempt": None}), worker="w")

    assert (CLAIM.args[2], bare.args[2]) == ("1", "")
