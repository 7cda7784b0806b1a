"""Redis view: one operator's clients and facts, made from the settings and closed together."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.controller.kube.lease import LeaderElection
from reconstruction_operator.controller.redis_view.view import RedisView
from reconstruction_operator.kube.client import Api

from tests.support.settings import configure

NOWHERE = "redis://127.0.0.1:1"  # a port where nothing listens


@pytest.fixture
def view(monkeypatch: pytest.MonkeyPatch) -> RedisView:
    configure(
        monkeypatch,
        REDIS_STATE_DB=f"{NOWHERE}/4",
        CELERY_RESULT_BACKEND=f"{NOWHERE}/5",
        REDIS_KEY_PREFIX="team-a:",
        REDIS_TIMEOUT_SECONDS=0.1,
    )
    api: Any = Api(access=None)  # no request is sent
    election = LeaderElection(api, namespace="system", name="lease", identity="me", duration_seconds=10.0)
    return RedisView.open(election, install_id="here")


async def test_state_and_results_have_their_own_clients(view: RedisView) -> None:
    databases = [client.connection_pool.connection_kwargs["db"] for client in (view.state, view.results)]

    assert databases == [4, 5]
    assert view.keys.record("job") == Keys(prefix="team-a:").record("job")
    await view.close()


async def test_redis_counts_as_unavailable_until_it_has_responded(view: RedisView) -> None:
    with pytest.raises(redis.ConnectionError):
        await view.connection.check(1)

    assert view.connection.problem
    assert view.connection.resync.take() == "start"
    await view.close()
