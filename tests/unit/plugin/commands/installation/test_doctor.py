"""`doctor`: an API server whose clock differs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kubectl_recon.commands.installation.doctor import examine
from kubectl_recon.kube.api import Api, Connection

if TYPE_CHECKING:
    from tests.unit.plugin.conftest import Server


@pytest.mark.parametrize(
    ("behind", "state", "text"),
    [
        (605.0, "bad", "this machine is 10m ahead of the API server"),
        (-605.0, "bad", "this machine is 10m behind the API server"),
        (5.0, "ok", "this machine's and the API server's agree"),
    ],
)
def test_a_clock_difference_is_found_in_both_directions(
    api: Api, server: Server, behind: float, state: str, text: str
) -> None:
    server.behind_seconds = behind
    server.put(200, {"gitVersion": "v1.34.1"})
    server.put(404, {"message": "not installed"})
    server.put(200, {"items": []})  # further requests fail

    found = {check.name: check for check in examine(Connection(api, "here", "team"))}

    assert (found["Clocks"].state, found["Clocks"].text) == (state, text)
