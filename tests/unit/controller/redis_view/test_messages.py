"""Sent messages: when one counts as missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from reconstruction_operator.broker.backlog import FoundMessages
from reconstruction_operator.controller.entry import Entry
from reconstruction_operator.controller.redis_view.messages import TAKEN_SECONDS, SentMessages

from tests.support.controller.entries import make_entry, names
from tests.support.refs import make_attempt

A = make_attempt("uid-a")
B = make_attempt("uid-b")


class Sent(SentMessages):
    """The messages of two queued jobs. Both are in the queue at the first search, after 15 s."""

    def __init__(self) -> None:
        super().__init__(resend_seconds=15)
        self.a = make_entry("a")
        self.b = make_entry("b")
        assert self.due(0.0) == set()
        assert self.due(15.0) == {"celery"}
        assert self.search({"celery": FoundMessages(frozenset({"uid-a-1", "uid-b-1"}))}, 15.0) == []

    def due(self, now: float, epoch: str | None = None) -> set[str]:
        return self.queues_to_search([self.a, self.b], now, epoch=epoch)

    def search(self, results: Mapping[str, FoundMessages], now: float) -> list[Entry]:
        return self.searched([self.a, self.b], results, now)

    def look(self, now: float, *waiting: str, taken: tuple[str, ...] = ()) -> list[str]:
        """Search now, if a search is due. Return the names of the jobs whose messages became missing."""
        search = FoundMessages(frozenset(waiting), frozenset(taken))
        return names(self.search(dict.fromkeys(self.due(now), search), now))


@pytest.fixture
def sent() -> Sent:
    return Sent()


def test_a_message_that_waits_in_its_queue_for_days_is_never_missing(sent: Sent) -> None:
    assert not any(sent.look(now, "uid-a-1", "uid-b-1") for now in range(16, 300_000, 7))
    assert not sent.is_missing(sent.a, A)


def test_a_message_is_missing_if_two_searches_do_not_find_it(sent: Sent) -> None:
    assert sent.look(30.0, "uid-a-1") == []
    assert not sent.is_missing(sent.b, B)
    assert sent.look(31.0, "uid-a-1") == ["b"]  # confirmed at once, not only after another interval
    assert (sent.is_missing(sent.a, A), sent.is_missing(sent.b, B)) == (False, True)


def test_a_message_on_its_way_to_a_worker_is_not_missing(sent: Sent) -> None:
    assert sent.look(30.0, "uid-a-1") == []
    assert sent.look(31.0, "uid-a-1", taken=("uid-b-1",)) == []


def test_a_message_that_a_worker_took_and_never_claimed_is_missing_in_the_end(sent: Sent) -> None:
    for now in range(30, 30 + int(TAKEN_SECONDS), 15):
        assert sent.look(now, "uid-a-1", taken=("uid-b-1",)) == []
    assert sent.look(30 + TAKEN_SECONDS, "uid-a-1", taken=("uid-b-1",)) == []
    assert sent.look(31 + TAKEN_SECONDS, "uid-a-1", taken=("uid-b-1",)) == ["b"]


def test_a_message_that_was_sent_again_is_not_missing(sent: Sent) -> None:
    sent.look(30.0, "uid-a-1")
    sent.look(31.0, "uid-a-1")
    sent.sent(sent.b, B, 32.0)

    assert not sent.is_missing(sent.b, B)
    assert sent.look(46.0, "uid-a-1") == []  # it was sent too recently to be searched for


def test_the_queues_are_searched_once_in_an_interval(sent: Sent) -> None:
    assert [now for now in range(16, 61) if sent.due(now)] == [30, 45, 60]


def test_a_queue_that_could_not_be_searched_proves_nothing(sent: Sent) -> None:
    for now in (30.0, 45.0, 60.0):
        sent.due(now)
        assert sent.search({}, now) == []


def test_a_message_is_searched_for_in_the_queue_that_it_was_sent_to(sent: Sent) -> None:
    """The spec's queue may have been edited after it was sent, and before the status shows that."""
    assert not sent.is_missing(sent.b, replace(B, queue="gpu"))

    assert sent.due(30.0) == {"celery", "gpu"}
    assert (
        sent.search(
            {"celery": FoundMessages(frozenset({"uid-a-1"})), "gpu": FoundMessages(frozenset({"uid-b-1"}))}, 30.0
        )
        == []
    )


def test_after_a_loss_of_data_every_message_is_searched_for_again(sent: Sent) -> None:
    sent.look(30.0, "uid-a-1")
    sent.look(31.0, "uid-a-1")
    assert sent.is_missing(sent.b, B)

    assert sent.due(32.0, "epoch-2") == {"celery"}  # at once

    assert not sent.is_missing(sent.b, B)


def test_an_order_to_delete_files_is_searched_for_while_jobs_ask_about_it() -> None:
    messages = SentMessages(resend_seconds=15)
    job = make_entry("a")
    asked = [messages.is_order_missing(job, "a", "celery", 0.0)]
    for now in (15.0, 16.0):
        assert messages.queues_to_search([], now) == {"celery"}
        assert messages.searched([], {"celery": FoundMessages()}, now) == []  # no attempt is missing
        asked.append(messages.is_order_missing(job, "a", "celery", now))

    assert asked == [False, False, True]
    messages.ordered(job, "a", "celery", 17.0)
    assert not messages.is_order_missing(job, "a", "celery", 17.0)
    assert messages.queues_to_search([], 400.0) == set()  # no job asks about it any longer


def test_an_order_that_waits_in_a_long_queue_is_not_missing() -> None:
    messages = SentMessages(resend_seconds=15)
    job = make_entry("a")
    for now in range(0, 3_600, 15):
        assert not messages.is_order_missing(job, "a", "celery", now)
        queues = messages.queues_to_search([], now)
        messages.searched([], dict.fromkeys(queues, FoundMessages(frozenset({"a-cleanup"}))), now)
