"""Sent messages: when one counts as missing."""

from __future__ import annotations

import pytest
from reconstruction_operator.api.identity import TaskId
from reconstruction_operator.broker.backlog import FoundMessages
from reconstruction_operator.controller.redis_view.messages import TAKEN_SECONDS, SentMessages

A, B = TaskId("a", 1), TaskId("b", 1)
QUEUED = {A: "celery", B: "celery"}


@pytest.fixture
def sent() -> SentMessages:
    """Both messages are in the queue at the first search, after 15 s."""
    messages = SentMessages(resend_seconds=15)
    assert messages.queues_to_search(QUEUED, 0.0) == set()
    assert messages.queues_to_search(QUEUED, 15.0) == {"celery"}
    assert messages.searched({"celery": FoundMessages(frozenset({"a-1", "b-1"}))}, 15.0) == []
    return messages


def look(messages: SentMessages, now: float, *waiting: str, taken: tuple[str, ...] = ()) -> list[TaskId]:
    """Search now, if a search is due."""
    queues = messages.queues_to_search(QUEUED, now)
    return messages.searched({queue: FoundMessages(frozenset(waiting), frozenset(taken)) for queue in queues}, now)


def test_a_message_that_waits_in_its_queue_for_days_is_never_missing(sent: SentMessages) -> None:
    assert not any(look(sent, now, "a-1", "b-1") for now in range(16, 300_000, 7))
    assert not sent.is_missing(A, "celery")


def test_a_message_is_missing_if_two_searches_do_not_find_it(sent: SentMessages) -> None:
    assert look(sent, 30.0, "a-1") == []
    assert not sent.is_missing(B, "celery")
    assert look(sent, 31.0, "a-1") == [B]  # confirmed at once, not only after another interval
    assert (sent.is_missing(A, "celery"), sent.is_missing(B, "celery")) == (False, True)


def test_a_message_on_its_way_to_a_worker_is_not_missing(sent: SentMessages) -> None:
    assert look(sent, 30.0, "a-1") == []
    assert look(sent, 31.0, "a-1", taken=("b-1",)) == []


def test_a_message_that_a_worker_took_and_never_claimed_is_missing_in_the_end(sent: SentMessages) -> None:
    for now in range(30, 30 + int(TAKEN_SECONDS), 15):
        assert look(sent, now, "a-1", taken=("b-1",)) == []
    assert look(sent, 30 + TAKEN_SECONDS, "a-1", taken=("b-1",)) == []
    assert look(sent, 31 + TAKEN_SECONDS, "a-1", taken=("b-1",)) == [B]


def test_a_message_that_was_sent_again_is_not_missing(sent: SentMessages) -> None:
    look(sent, 30.0, "a-1")
    look(sent, 31.0, "a-1")
    sent.sent(B, "celery", 32.0)

    assert not sent.is_missing(B, "celery")
    assert look(sent, 46.0, "a-1") == []  # it was sent too recently to be searched for


def test_the_queues_are_searched_once_in_an_interval(sent: SentMessages) -> None:
    assert [now for now in range(16, 61) if sent.queues_to_search(QUEUED, now)] == [30, 45, 60]


def test_a_queue_that_could_not_be_searched_proves_nothing(sent: SentMessages) -> None:
    for now in (30.0, 45.0, 60.0):
        sent.queues_to_search(QUEUED, now)
        assert sent.searched({}, now) == []


def test_a_message_is_searched_for_in_the_queue_that_it_was_sent_to(sent: SentMessages) -> None:
    """The spec's queue may have been edited after it was sent, and before the status shows that."""
    assert not sent.is_missing(B, "gpu")

    assert sent.queues_to_search(QUEUED, 30.0) == {"celery", "gpu"}
    assert (
        sent.searched({"celery": FoundMessages(frozenset({"a-1"})), "gpu": FoundMessages(frozenset({"b-1"}))}, 30.0)
        == []
    )


def test_after_a_loss_of_data_every_message_is_searched_for_again(sent: SentMessages) -> None:
    look(sent, 30.0, "a-1")
    look(sent, 31.0, "a-1")
    assert sent.is_missing(B, "celery")

    assert sent.queues_to_search(QUEUED, 32.0, epoch="epoch-2") == {"celery"}  # at once

    assert not sent.is_missing(B, "celery")


def test_an_order_to_delete_files_is_searched_for_while_jobs_ask_about_it() -> None:
    messages = SentMessages(resend_seconds=15)
    asked = [messages.is_order_missing("a", "celery", 0.0)]
    for now in (15.0, 16.0):
        assert messages.queues_to_search({}, now) == {"celery"}
        assert messages.searched({"celery": FoundMessages()}, now) == []  # no attempt is missing
        asked.append(messages.is_order_missing("a", "celery", now))

    assert asked == [False, False, True]
    messages.ordered("a", "celery", 17.0)
    assert not messages.is_order_missing("a", "celery", 17.0)
    assert messages.queues_to_search({}, 400.0) == set()  # no job asks about it any longer


def test_an_order_that_waits_in_a_long_queue_is_not_missing() -> None:
    messages = SentMessages(resend_seconds=15)
    for now in range(0, 3_600, 15):
        assert not messages.is_order_missing("a", "celery", now)
        queues = messages.queues_to_search({}, now)
        messages.searched(dict.fromkeys(queues, FoundMessages(frozenset({"a-cleanup"}))), now)
