"""`doctor`: an API server that is too old, whose clock differs, or whose CRD is older."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from kubectl_recon.commands.installation.doctor import examine
from kubectl_recon.kube.api import Api, Connection
from reconstruction_operator.api import crd

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

    checks = {check.name: check for check in examine(Connection(api, "here", "team"))}

    assert (checks["Clocks"].state, checks["Clocks"].text) == (state, text)


@pytest.mark.parametrize(
    ("version", "state"), [("v1.31.0+k3s1", "ok"), ("v1.100.0", "ok"), ("v1.30.9", "bad"), ("dev", "ok"), ("", "ok")]
)
def test_a_kubernetes_that_is_too_old_is_found(api: Api, server: Server, version: str, state: str) -> None:
    server.put(200, {"gitVersion": version})

    assert next(examine(Connection(api, "here", "team"))).state == state


def test_the_fields_of_the_crd_are_compared(api: Api, server: Server) -> None:
    schema = crd.schema()
    del schema["properties"]["spec"]["properties"]["suspend"]
    del schema["properties"]["status"]["properties"]["progress"]["properties"]["step"]
    served = {"components": {"schemas": {"dev.reconstruction.v1alpha1.ReconstructionJob": schema}}}
    for body in ({"gitVersion": "v1.34.1"}, {"resources": [{"name": "reconstructionjobs"}]}, served):
        server.put(200, body)

    _, check = itertools.islice(examine(Connection(api, "here", "team")), 2)

    assert (check.name, check.state) == ("CRD", "bad")
    assert "2 fields are missing, such as .spec.suspend, .status.progress.step" in check.text
