"""Progress sender: which reports are sent, when, and that no run waits for them."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest
from reconstruction_operator.worker.attempt import progress
from reconstruction_operator.worker.attempt.progress import ProgressSender

_PATIENCE_SECONDS = 30.0


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports are sent and retried without noticeable pauses."""
    monkeypatch.setattr(progress, "_FIRST_SECONDS", 0.0)
    monkeypatch.setattr(progress, "_LATEST_SECONDS", 0.01)
    monkeypatch.setattr(progress, "_AFTER_ERROR_SECONDS", 0.01)


class Gate:
    """A backend whose sends wait until `open` is set."""

    def __init__(self) -> None:
        self.sent: list[Mapping[str, Any]] = []
        self.entered, self.open, self.left = threading.Event(), threading.Event(), threading.Event()

    def send(self, metas: Sequence[Mapping[str, Any]]) -> None:
        self.entered.set()
        assert self.open.wait(10 * _PATIENCE_SECONDS)
        self.sent.extend(metas)
        self.left.set()


def test_kept_reports_are_sent_in_order_at_any_rate() -> None:
    sent: list[Mapping[str, Any]] = []
    with ProgressSender(sent.extend, flush_seconds=_PATIENCE_SECONDS) as sender:
        for number in range(6):
            sender.offer({"step": number}, keep=True)
    assert sent == [{"step": number} for number in range(6)]


def test_reports_of_the_same_moment_are_sent_together_at_the_end() -> None:
    sent: list[Sequence[Mapping[str, Any]]] = []
    sender = ProgressSender(sent.append, flush_seconds=_PATIENCE_SECONDS)  # without its thread
    for number in range(3):
        sender.offer({"step": number}, keep=True)
    sender.close()
    assert sent == [[{"step": 0}, {"step": 1}, {"step": 2}]]


def test_a_report_is_sent_while_the_run_continues() -> None:
    arrived = threading.Event()
    with ProgressSender(lambda _: arrived.set(), flush_seconds=_PATIENCE_SECONDS) as sender:
        sender.offer({"step": 1}, keep=True)
        assert arrived.wait(_PATIENCE_SECONDS)


def test_one_thread_sends_for_all_attempts() -> None:
    threads: set[int] = set()
    arrived = threading.Barrier(2, timeout=_PATIENCE_SECONDS)

    def send(_: object) -> None:
        threads.add(threading.get_ident())
        arrived.wait()

    for _ in range(3):
        with ProgressSender(send, flush_seconds=_PATIENCE_SECONDS) as sender:
            sender.offer({"step": 1}, keep=True)
            arrived.wait()
    assert len(threads) == 1


def test_within_a_step_only_the_latest_report_is_sent() -> None:
    gate = Gate()
    with ProgressSender(gate.send, flush_seconds=_PATIENCE_SECONDS) as sender:
        sender.offer({"step": 1}, keep=True)
        assert gate.entered.wait(_PATIENCE_SECONDS)
        for percent in range(100):
            sender.offer({"percent": percent}, keep=False)
        gate.entered.clear()
        gate.open.set()
        assert gate.entered.wait(_PATIENCE_SECONDS)
    assert gate.sent == [{"step": 1}, {"percent": 99}]


def test_offer_never_waits_for_a_hanging_backend() -> None:
    gate = Gate()
    with ProgressSender(gate.send, flush_seconds=0.1) as sender:
        sender.offer({"step": -1}, keep=True)
        assert gate.entered.wait(_PATIENCE_SECONDS)
        for number in range(1000):
            sender.offer({"step": number}, keep=True)
    assert not gate.left.is_set()
    gate.open.set()


def test_no_report_is_sent_after_close() -> None:
    gate = Gate()
    with ProgressSender(gate.send, flush_seconds=0.05) as sender:
        sender.offer({"step": 0}, keep=True)
        assert gate.entered.wait(_PATIENCE_SECONDS)
        for number in range(1, 5):
            sender.offer({"step": number}, keep=True)
    gate.open.set()
    assert gate.left.wait(_PATIENCE_SECONDS)
    assert sender.send_due() is None
    assert gate.sent == [{"step": 0}]  # was under way before the end


def test_a_thread_that_waits_for_close_sends_no_report() -> None:
    class Awaited:
        """A lock that the thread takes as soon as `close` releases it."""

        def __init__(self) -> None:
            self._lock = threading.Lock()
            self.acquire = self._lock.acquire

        def __enter__(self) -> bool:
            return self._lock.__enter__()

        def __exit__(self, *_: object) -> None:
            self._lock.release()

        def release(self) -> None:
            self._lock.release()
            sender.send_due()

    sent: list[Mapping[str, Any]] = []
    sender = ProgressSender(sent.extend, flush_seconds=_PATIENCE_SECONDS)
    sender._sending = cast("threading.Lock", Awaited())
    sender.offer({"step": 0}, keep=True)
    sender.close()
    assert sent == [{"step": 0}]


def test_kept_reports_are_retried_until_they_arrive() -> None:
    sent: list[Mapping[str, Any]] = []
    tries: list[Sequence[Mapping[str, Any]]] = []
    arrived = threading.Event()

    def send(metas: Sequence[Mapping[str, Any]]) -> None:
        tries.append(metas)
        if len(tries) < 3:
            raise OSError("no backend")
        sent.extend(metas)
        arrived.set()

    with ProgressSender(send, flush_seconds=_PATIENCE_SECONDS) as sender:
        sender.offer({"step": 0}, keep=True)
        assert arrived.wait(_PATIENCE_SECONDS)
        sender.offer({"step": 1}, keep=True)
    assert sent == [{"step": 0}, {"step": 1}]


def test_reports_unsent_at_the_end_are_tried_once() -> None:
    tries: list[Sequence[Mapping[str, Any]]] = []

    def send(metas: Sequence[Mapping[str, Any]]) -> None:
        tries.append(metas)
        raise OSError("no backend")

    sender = ProgressSender(send, flush_seconds=_PATIENCE_SECONDS)
    for number in range(3):
        sender.offer({"step": number}, keep=True)
    sender.close()
    assert tries == [[{"step": 0}, {"step": 1}, {"step": 2}]]


def test_the_first_reports_of_an_attempt_are_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_FIRST_SECONDS", 3_600.0)
    sent: list[Sequence[Mapping[str, Any]]] = []
    last: list[Sequence[Mapping[str, Any]]] = []
    woken = threading.Event()
    with ProgressSender(sent.append, flush_seconds=_PATIENCE_SECONDS, send_last=last.append) as sender:
        sender.offer({"step": 0}, keep=True)
        with ProgressSender(lambda _: woken.set(), flush_seconds=_PATIENCE_SECONDS) as other:
            monkeypatch.setattr(other, "_gather_seconds", 0.0)
            other.offer({}, keep=True)
            assert woken.wait(_PATIENCE_SECONDS)  # the thread of both
        sender.offer({"step": 1}, keep=True)
    assert (sent, last) == ([], [[{"step": 0}, {"step": 1}]])
