"""Job watch: what a missing right means."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from kubectl_recon.errors import ForbiddenError
from kubectl_recon.kube.api import Api, Connection
from kubectl_recon.targets.job_watch import JobWatch
from kubectl_recon.targets.selecting import Selection

from tests.support.jobs import make_body

if TYPE_CHECKING:
    from tests.unit.plugin.conftest import Server

JOBS = json.dumps({"items": [make_body("a")], "metadata": {"resourceVersion": "5"}}).encode()
FORBIDDEN = (403, b'{"message": "you may not"}')


def test_jobs_are_watched_without_the_right_to_see_events(api: Api, server: Server) -> None:
    server.respond = lambda path: FORBIDDEN if "events?" in path else (200, b"" if "watch=" in path else JOBS)
    with JobWatch(Connection(api, "here", "default"), Selection(), None) as watch:
        while not watch.jobs:
            next(watch.updates(10), None)
        assert not watch.listed  # others of the list may follow
        while not (watch.listed and any("events?" in path for _, path, _ in server.asked)):
            list(watch.updates(10))
        list(watch.updates(0.2))  # the refusal of the Events
        assert list(watch.jobs) == [("default", "a")]


def test_a_watch_without_the_right_to_see_jobs_raises_the_refusal(api: Api, server: Server) -> None:
    server.respond = lambda _: FORBIDDEN
    with (
        JobWatch(Connection(api, "here", "default"), Selection(), None, with_events=False) as watch,
        pytest.raises(ForbiddenError, match="you may not"),
    ):
        list(watch.updates(10))
