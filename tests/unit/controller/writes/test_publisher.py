"""Publisher: when the installation's info is written, and by whom."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from reconstruction_operator.contract.info import BEAT_SECONDS, InstallationInfo
from reconstruction_operator.controller.writes.publisher import Publisher
from reconstruction_operator.kube.errors import ApiError

INFO = InstallationInfo(lease="recon/operator", version="1.0")


class Server:
    """Stores what is applied, unless it fails."""

    def __init__(self) -> None:
        self.fails = False
        self.written: list[dict[str, Any]] = []

    async def request(self, method: str, path: str, *, body: Any, **_: Any) -> dict[str, Any]:
        if self.fails:
            raise ApiError(403, "Forbidden", "configmaps is forbidden")
        assert (
            f"{method} {path.partition('?')[0]}"
            == "PATCH /api/v1/namespaces/kube-public/configmaps/reconstruction-info.recon.operator"
        )
        assert body["metadata"]["labels"] == {"reconstruction.dev/info": "true"}
        self.written.append(json.loads(body["data"]["info"]))
        return {}


async def test_the_info_is_written_when_it_changes_and_as_a_beat() -> None:
    server, infos, election = Server(), [INFO], Any
    publisher = Publisher(server, election, lambda: infos[-1])

    for now in (10.0, 12.0, 10.0 + BEAT_SECONDS):
        await publisher.publish(now)
    infos.append(replace(INFO, problems=("RedisUnreachable",)))
    await publisher.publish(11.0 + BEAT_SECONDS)

    assert [entry.get("problems", []) for entry in server.written] == [[], [], ["RedisUnreachable"]]
    assert datetime.now(UTC) - datetime.fromisoformat(server.written[-1]["beat"]) < timedelta(minutes=1)


async def test_a_failed_write_is_logged_once_and_repeated_with_the_next_beat(caplog: pytest.LogCaptureFixture) -> None:
    server, election = Server(), Any
    publisher, server.fails = Publisher(server, election, lambda: INFO), True
    with caplog.at_level(logging.WARNING):
        await publisher.publish(10.0)
        await publisher.publish(10.0 + BEAT_SECONDS)
    server.fails = False
    for now in (12.0 + BEAT_SECONDS, 10.0 + 2 * BEAT_SECONDS):
        await publisher.publish(now)

    assert (len(server.written), len(caplog.records)) == (1, 1)
