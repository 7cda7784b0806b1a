from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from reconstruction_operator.worker.attempt.progress import ProgressSender

_PATIENCE_SECONDS = 30.0


def test_kept_reports_are_sent_in_order_at_any_rate() -> None:
    sent: list[Mapping[str, Any]] = []
    with ProgressSender(sent.append, flush_seconds=_PATIENCE_SECONDS) as sender:
        for number in range(6):
            sender.offer({"step": number}, keep=True)
    assert sent == [{"step": number} for number in range(6)]


def test_within_a_step_only_the_latest_is_sent() -> None:
    sent: list[Mapping[str, Any]] = []
    entered, go_on = threading.Event(), threading.Event()

    def send(meta: Mapping[str, Any]) -> None:
        sent.append(meta)
        entered.set()
        go_on.wait(_PATIENCE_SECONDS)

    with ProgressSender(send, flush_seconds=_PATIENCE_SECONDS) as sender:
        sender.offer({"step": 1}, keep=True)
        assert entered.wait(_PATIENCE_SECONDS)
        for percent in range(100):
            sender.offer({"percent": percent}, keep=False)
        entered.clear()
        go_on.set()
        assert entered.wait(_PATIENCE_SECONDS)
    assert sent == [{"step": 1}, {"percent": 99}]


def test_offer_never_waits_for_a_hanging_backend() -> None:
    hang = threading.Event()
    begun = time.monotonic()
    with ProgressSender(lambda _meta: bool(hang.wait(_PATIENCE_SECONDS)), flush_seconds=0.1) as sender:
        for number in range(1000):
            sender.offer({"step": number}, keep=True)
    assert time.monotonic() - begun < _PATIENCE_SECONDS / 2
    hang.set()


def test_nothing_is_sent_after_close() -> None:
    sent: list[Mapping[str, Any]] = []
    hang = threading.Event()

    def send(meta: Mapping[str, Any]) -> None:
        hang.wait(_PATIENCE_SECONDS)
        sent.append(meta)

    with ProgressSender(send, flush_seconds=0.05) as sender:
        for number in range(5):
            sender.offer({"step": number}, keep=True)
    hang.set()
    sender._thread.join(_PATIENCE_SECONDS)
    assert sent == [{"step": 0}]  # already on its way


def test_kept_reports_are_retried_until_they_arrive() -> None:
    sent: list[Mapping[str, Any]] = []
    tries: list[Mapping[str, Any]] = []
    arrived = threading.Event()

    def send(meta: Mapping[str, Any]) -> None:
        tries.append(meta)
        if len(tries) < 3:
            raise OSError("no backend")
        sent.append(meta)
        arrived.set()

    with ProgressSender(send, flush_seconds=_PATIENCE_SECONDS) as sender:
        sender.offer({"step": 0}, keep=True)
        assert arrived.wait(_PATIENCE_SECONDS)
        sender.offer({"step": 1}, keep=True)
    assert sent == [{"step": 0}, {"step": 1}]


def test_each_kept_report_is_tried_once_after_close() -> None:
    tries: list[Mapping[str, Any]] = []

    def send(meta: Mapping[str, Any]) -> None:
        tries.append(meta)
        raise OSError("no backend")

    sender = ProgressSender(send, flush_seconds=_PATIENCE_SECONDS)
    for number in range(3):
        sender.offer({"step": number}, keep=True)
    sender._closing.set()
    sender._run()
    assert tries == [{"step": number} for number in range(3)]
