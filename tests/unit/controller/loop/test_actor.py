"""Actor: failures of the API server are retried, and the two kinds of message are counted apart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from unittest import mock

import fakeredis
import pytest
import redis
from reconstruction_operator.api.spec import Spec
from reconstruction_operator.broker.dispatch import Message
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.controller.loop.actor import Actor, ActResults, JobActions, message
from reconstruction_operator.kube.errors import ApiError
from reconstruction_operator.planning.actions import DeleteFiles, DeleteObject, Dispatch, Forget, TakeBack
from reconstruction_operator.state.calls import DeposedError

from tests.support.jobs import make_body, make_job


@pytest.fixture
async def state() -> AsyncIterator[fakeredis.FakeAsyncRedis]:
    async with fakeredis.FakeAsyncRedis(decode_responses=True) as opened:
        yield opened


async def act(state: fakeredis.FakeAsyncRedis, *batch: JobActions, **parts: Any) -> ActResults:
    """Act as the leader with fence 1.

    `parts` replace the API server, the dispatcher, the backlog and the namespaces, which do nothing.
    """
    dispatcher = mock.Mock(send=mock.Mock(return_value={}))
    namespaces = mock.Mock(uids=mock.AsyncMock(return_value={}))
    parts = {"api": mock.Mock(), "dispatcher": dispatcher, "backlog": mock.Mock(), "namespaces": namespaces} | parts
    actor = Actor(state, **parts, keys=Keys(), install_id="test")
    try:
        return await actor.act(batch, fence=1)
    finally:
        actor.close()


@pytest.mark.parametrize(
    ("status", "is_gone"),
    [
        pytest.param(404, True, id="no-such-object"),
        pytest.param(409, False, id="any-conflict"),
        pytest.param(403, False, id="a-webhook-refuses"),
        pytest.param(500, False, id="a-server-error"),
    ],
)
async def test_a_deletion_that_the_api_server_rejected_is_retried(
    state: fakeredis.FakeAsyncRedis, status: int, is_gone: bool
) -> None:
    api = mock.Mock(request=mock.AsyncMock(side_effect=ApiError(status, "Reason", "why")))
    job = replace(make_job(), version=7)

    results = await act(state, JobActions(job.task, job, (DeleteObject(),)), api=api)

    assert (job.key not in results.failed) is is_gone
    (request,) = api.request.call_args_list
    assert request.kwargs["body"]["preconditions"] == {"uid": job.key.uid, "resourceVersion": "7"}


async def test_jobs_that_expire_together_are_read_at_the_same_time(state: fakeredis.FakeAsyncRedis) -> None:
    together = asyncio.Barrier(3)  # each response comes once all are requested

    async def get(path: str) -> dict[str, Any]:
        await asyncio.wait_for(together.wait(), 10)
        return make_body(path.rpartition("/")[2])

    jobs = [replace(make_job(name=name), version=1) for name in ("a", "b", "c")]
    batch = [JobActions(job.task, job, (DeleteFiles("gpu", expired=True),)) for job in jobs]

    results = await act(state, *batch, api=mock.Mock(get=get))

    assert [key.name for key in results.ordered] == ["a", "b", "c"]
    assert (results.sent, results.failed) == ({}, {})  # an order does not dispatch its job


@pytest.mark.parametrize(
    ("answer", "ordered"),
    [
        pytest.param(make_body(version=7), ["gpu"], id="unchanged"),
        pytest.param(make_body(version=8), [], id="edited"),
        pytest.param(make_body(version=7, uid="another"), [], id="another-of-its-name"),
        pytest.param(ApiError(404, "NotFound", "gone"), [], id="deleted"),
    ],
)
async def test_files_are_kept_if_the_object_changed_before_its_time_to_live_ended(
    state: fakeredis.FakeAsyncRedis, answer: dict[str, Any] | ApiError, ordered: list[str]
) -> None:
    """The watch may be late: its body may still have a time to live that was just removed."""
    api = mock.Mock(get=mock.AsyncMock(side_effect=[answer]))
    job = replace(make_job(), version=7)

    results = await act(state, JobActions(job.task, job, (DeleteFiles("gpu", expired=True),)), api=api)

    assert (list(results.ordered.values()), job.key in results.failed) == (ordered, not ordered)


@pytest.mark.parametrize(
    ("most", "wanted", "sent"),
    [(None, None, None), (None, 4, 4), (2, 4, 2), (0, 4, 1), (8, 4, 4), (2, None, None)],
)
def test_a_message_allows_no_more_workers_than_the_quota(
    most: int | None, wanted: int | None, sent: int | None
) -> None:
    job = make_job(spec=Spec(parts=wanted))
    made = message(
        JobActions(job.task, job, ()), Dispatch(job.task), install_id="test", namespace_uid="", most_workers=most
    )
    assert isinstance(made, Message)
    assert made.envelope.orders.parts == sent


async def test_a_deposed_leader_sends_nothing(state: fakeredis.FakeAsyncRedis) -> None:
    """Its successor may have sent the same message: the broker checks no fencing token."""
    job = make_job()
    dispatcher = mock.Mock()
    await state.set(Keys().fence("test"), "2")

    with pytest.raises(DeposedError):
        await act(state, JobActions(job.task, job, (Dispatch(job.task),)), dispatcher=dispatcher)

    assert not dispatcher.send.called


async def test_a_job_is_forgotten_after_its_messages_were_taken_back(state: fakeredis.FakeAsyncRedis) -> None:
    task = replace(make_job().task, queue="typo")
    backlog = mock.Mock()
    actions = JobActions(task, None, (TakeBack(task), Forget()))
    backlog.remove.side_effect = redis.ConnectionError
    await state.hset("job:uid-banana", mapping={"attempt": 1, "queue": "typo"})

    with pytest.raises(redis.ConnectionError):
        await act(state, actions, backlog=backlog)
    assert await state.exists("job:uid-banana")
    backlog.remove.side_effect = None
    await act(state, actions, backlog=backlog)

    assert not await state.exists("job:uid-banana")
    backlog.remove.assert_called_with({"typo": {"uid-banana-1", "uid-banana-cleanup"}})
