"""Acknowledgements that fail, by a closed connection or a refusal of Redis."""

from __future__ import annotations

import logging
from collections.abc import Callable
from unittest import mock

import pytest
from celery.utils.imports import symbol_by_name
from kombu.transport import redis as kombu_redis
from reconstruction_operator.broker.acknowledging import LenientRequest
from reconstruction_operator.tasks.cleanup import clean_up
from reconstruction_operator.tasks.reconstruction import process_reconstruction


def closed_channel(*_: object, **__: object) -> None:
    """Fails as kombu does on a channel that it has closed: it looks up the address of a connection that no longer
    exists.
    """
    channel = mock.Mock(spec=kombu_redis.Channel)
    channel.connection = mock.Mock(client=None)
    kombu_redis.Channel._connparams(channel)


@pytest.fixture
def request_of() -> Callable[..., LenientRequest]:
    def make(on_ack: Callable[..., None]) -> LenientRequest:
        request = LenientRequest.__new__(LenientRequest)
        request._request_dict = {"id": "uid-1"}
        request._connection_errors = (ConnectionError,)
        request._on_ack = request._on_reject = on_ack
        request.acknowledged = False
        request.id = "uid-1"
        return request

    return make


def test_kombu_still_raises_attribute_error_on_a_closed_channel() -> None:
    with pytest.raises(AttributeError):
        closed_channel()


@pytest.mark.parametrize("answer", ["acknowledge", "reject"])
def test_a_failed_acknowledgement_on_a_closed_channel_is_only_logged(
    answer: str, request_of: Callable[..., LenientRequest], caplog: pytest.LogCaptureFixture
) -> None:
    request = request_of(closed_channel)

    with caplog.at_level(logging.WARNING):
        getattr(request, answer)()

    assert request.acknowledged
    assert "uid-1" in caplog.text


def test_acknowledging_twice_sends_once(request_of: Callable[..., LenientRequest]) -> None:
    on_ack = mock.Mock()
    request = request_of(on_ack)

    request.acknowledge()
    request.acknowledge()

    assert on_ack.call_count == 1


def test_both_tasks_use_the_lenient_request() -> None:
    assert [symbol_by_name(task.Request) for task in (process_reconstruction, clean_up)] == [LenientRequest] * 2
