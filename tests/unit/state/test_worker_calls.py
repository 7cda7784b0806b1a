"""A worker's calls: invalid tokens and unexpected replies. The scripts: tests/real/state."""

from __future__ import annotations

from typing import Any

import pytest
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import OPERATOR_TOKEN, End
from reconstruction_operator.state import worker_calls
from reconstruction_operator.state.calls import UnexpectedReplyError
from reconstruction_operator.state.replies import BeatReply

from tests.support.refs import make_attempt

OWN: dict[str, Any] = {"attempt": make_attempt(), "token": "token"}
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


def test_a_reason_of_a_newer_operator_is_ignored() -> None:
    assert BEAT.read([1, 0, "a newer reason", ""]) == BeatReply(owned=True)


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
    call = worker_calls.register_worker(Keys(), node="w", queues=("a",))

    assert call.read(reply) == expected
