"""The operator's calls: unexpected replies, and the keys of many attempts. The scripts: tests/real/state."""

from __future__ import annotations

from typing import Any

import pytest
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.state import operator_calls
from reconstruction_operator.state.calls import UnexpectedReplyError
from reconstruction_operator.state.operator_calls import FORGET_MAX_ATTEMPTS, Leader

LEADER: Leader = {"fence": 3, "install_id": "here"}


@pytest.mark.parametrize("reply", [None, [], "ok", ["maybe"], ["deposed"]], ids=repr)
def test_a_reply_of_another_form_is_an_error_that_names_the_script(reply: Any) -> None:
    with pytest.raises(UnexpectedReplyError, match="script clear_flags returned"):
        operator_calls.clear_flags(Keys(), job_id="job", **LEADER).read(reply)


def test_of_thousands_of_attempts_the_newest_are_forgotten() -> None:
    keys = operator_calls.forget(Keys(), job_id="job", attempts=5_000, **LEADER).keys
    claims = [key for key in keys if key.startswith("claim:")]

    assert len(claims) == FORGET_MAX_ATTEMPTS
    assert (claims[0], claims[-1]) == ("claim:job-4001", "claim:job-5000")
