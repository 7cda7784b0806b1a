"""The operator's calls: unexpected replies. The scripts: tests/real/state."""

from __future__ import annotations

from typing import Any

import pytest
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.state import operator_calls
from reconstruction_operator.state.calls import UnexpectedReplyError
from reconstruction_operator.state.operator_calls import Leader

LEADER: Leader = {"fence": 3, "install_id": "here"}


@pytest.mark.parametrize("reply", [None, [], "ok", ["maybe"], ["deposed"]], ids=repr)
def test_a_reply_of_another_form_is_an_error_that_names_the_script(reply: Any) -> None:
    with pytest.raises(UnexpectedReplyError, match="script change_flags returned"):
        operator_calls.change_flags(Keys(), job_id="job", change="clear", **LEADER).read(reply)
