"""Publisher: when the installation's info is written, and by whom."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from reconstruction_operator.contract.info import BEAT_SECONDS, InstallationInfo
from reconstruction_operator.controller.writes.publisher import Publisher
from reconstruction_operator.kube.errors import ApiError

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
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
            == "PATCH /api/v1/namespaces/kube-public/configmaps/reconstruction-info"
        )
        assert "fieldManager=recon.operator&" in path
        self.written.append(json.loads(body["data"]["recon.operator"]))
        return {}


async def test_the_info_is_written_when_it_changes_and_as_a_beat() -> None:
    server, infos, election = Server(), [INFO], Any
    publisher = Publisher(server, election, lambda: infos[-1], now=lambda: NOON)

    for now in (10.0, 12.0, 10.0 + BEAT_SECONDS):
        assert await publisher.publish(now)
    infos.append(replace(INFO, problems=("RedisUnreachable",)))
    await publisher.publish(11.0 + BEAT_SECONDS)

    assert [entry.get("problems", []) for entry in server.written] == [[], [], ["RedisUnreachable"]]
    assert server.written[0]["beat"] == "2026-03-01T12:00:00Z"


async def test_a_failed_write_is_logged_once_and_repeated(caplog: pytest.LogCaptureFixture) -> None:
    server, election = Server(), Any
    publisher, server.fails = Publisher(server, election, lambda: INFO), True
    with caplog.at_level(logging.WARNING):
        assert [await publisher.publish(now) for now in (10.0, 11.0)] == [False, False]
    server.fails = False

    assert await publisher.publish(12.0)
    assert (len(server.written), len(caplog.records)) == (1, 1)
