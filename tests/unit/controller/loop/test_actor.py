"""What becomes of orders that the API server does not carry out."""

from __future__ import annotations

from typing import Any, cast
from unittest import mock

import fakeredis
import pytest
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.controller.kube.client import ApiError
from reconstruction_operator.controller.loop.actor import Actor, Order
from reconstruction_operator.planning.actions import DeleteFiles, DeleteObject

from tests.support.jobs import make_job


@pytest.mark.parametrize(
    ("status", "is_gone"),
    [
        pytest.param(404, True, id="no-such-object"),
        pytest.param(409, False, id="a-conflict-of-whatever-kind"),
        pytest.param(403, False, id="a-webhook-refuses"),
        pytest.param(500, False, id="a-server-in-trouble"),
    ],
)
async def test_an_object_that_could_not_be_deleted_is_tried_again(status: int, is_gone: bool) -> None:
    api = mock.Mock()
    api.request = mock.AsyncMock(side_effect=ApiError(status, "Reason", "why"))
    one = make_job()
    async with fakeredis.FakeAsyncRedis(decode_responses=True) as state:
        actor = Actor(state, api, cast("Any", mock.Mock()), keys=Keys(), install_id="test")
        results = await actor.act([Order(one.key, one, 1, (DeleteObject(),))], fence=1)
        actor.close()

    assert (one.key not in results.failed) is is_gone
    assert api.request.call_count == 1


async def test_orders_to_delete_files_are_told_apart_from_attempts() -> None:
    """Their queues are counted, so that an order that waits is not taken for lost; the job is not dispatched by it."""
    one, dispatcher = make_job(), mock.Mock(send=mock.Mock(return_value={}))
    async with fakeredis.FakeAsyncRedis(decode_responses=True) as state:
        actor = Actor(state, mock.Mock(), dispatcher, keys=Keys(), install_id="test")
        results = await actor.act([Order(one.key, one, 1, (DeleteFiles("gpu"),))], fence=1)
        actor.close()

    assert (results.ordered, results.sent, results.failed) == (["gpu"], {}, {})
