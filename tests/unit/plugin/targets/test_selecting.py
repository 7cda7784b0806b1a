"""Selection of jobs: an API server that lies about names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kubectl_recon.errors import ReconError
from kubectl_recon.kube.api import Api, Connection
from kubectl_recon.targets.selecting import find

from tests.support.jobs import make_body

if TYPE_CHECKING:
    from tests.unit.plugin.conftest import Server


@pytest.mark.parametrize(
    ("sent", "asked"),
    [("/home/u/.ssh", "banana"), ("..", "@latest"), ("", "@latest"), ("a\x1b[2J", "@latest"), ("other", "banana")],
    ids=["a-path", "a-way-up", "this-folder", "a-control-character", "another-job"],
)
def test_a_job_of_another_name_or_an_invalid_one_is_rejected(sent: str, asked: str, api: Api, server: Server) -> None:
    server.put(200, {"items": [make_body(sent)]} if asked == "@latest" else make_body(sent))
    with pytest.raises(
        ReconError, match=r"the API server sent (a job with an invalid name|job other instead of banana)"
    ):
        find(Connection(api, "here", "default"), asked)
