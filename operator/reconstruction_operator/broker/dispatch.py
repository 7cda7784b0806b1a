"""Messages to the workers: what `process_reconstruction.apply_async` would send, in batches, and never waiting for long."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import redis
from celery import Celery
from kombu.connection import Connection
from kombu.exceptions import KombuError
from kombu.messaging import Producer

from reconstruction_operator.api.identity import check_job_id
from reconstruction_operator.broker import celery_settings, transport
from reconstruction_operator.contract.envelope import Envelope

_BATCH: Final = 500  # messages in one round trip


class SendError(Exception):
    """The broker was not reached, or refused. Any number of the messages may have been sent: send all of them again."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message: an attempt for a worker, or, without an envelope, the order to delete the job's files."""

    job_id: str
    task_id: str
    queue: str  # the Celery queue, with its priority
    model_type: str = ""
    envelope: Envelope | None = None


def cleanup_message(job_id: str, *, queue: str) -> Message:
    """The order to delete the job's folder, for any worker of that queue."""
    return Message(job_id=job_id, task_id=f"{job_id}-cleanup", queue=queue)


def _task(message: Message) -> dict[str, Any]:
    """Arguments of `send_task`."""
    job_id = check_job_id(message.job_id)
    where = {"task_id": message.task_id, "queue": message.queue}
    if message.envelope is None:
        return where | {"name": celery_settings.CLEANUP_TASK, "args": (job_id,), "ignore_result": True}
    job = message.envelope.to_json()
    # The header as well: a worker of somebody else, or its instrumentation, looks there.
    headers = {"headers": {"traceparent": message.envelope.traceparent}} if message.envelope.traceparent else {}
    arguments = {"args": (job_id, message.model_type), "kwargs": {"job": job}}
    return where | headers | {"name": celery_settings.PROCESS_TASK} | arguments


class Dispatcher:
    """A connection to the broker. Used from one thread; connects when it is first needed, and anew after a failure."""

    def __init__(self) -> None:
        self._app = Celery("reconstruction_operator.dispatch", set_as_current=False)
        self._app.conf.update(celery_settings.settings(), task_publish_retry=False)
        # Without a result backend: with one, every message sent would also subscribe to its result. By the class, since
        # Celery prefers the environment variable CELERY_RESULT_BACKEND to the setting.
        self._app.backend_cls = "disabled"
        self._connection: Connection | None = None
        self._producer: Producer | None = None

    def send(self, messages: Sequence[Message]) -> dict[str, str]:
        """Send the messages, in order within each queue; the queues that Redis refused, and why.

        Any user may name any queue. One whose key is of another type, or that the operator's user of Redis may not write
        to, must not hold up the others.

        Raises:
            SendError: within a few seconds.
            ValueError: a job id that is none; nothing was sent.

        """
        by_queue: dict[str, list[dict[str, Any]]] = {}
        for one in messages:
            by_queue.setdefault(one.queue, []).append(_task(one))
        refused: dict[str, str] = {}
        for queue, tasks in by_queue.items():
            try:
                refusal = self._send_batch(tasks)
                if refusal is not None and transport.is_wrong_type(refusal) and transport.repair([queue]):
                    refusal = self._send_batch(tasks)
            except _FAILURES as error:
                self.close()
                raise SendError(f"the broker was not reached: {error}") from error
            if refusal is not None:
                refused[queue] = f"Redis refuses messages to the queue {queue}: {refusal}"
        return refused

    def _send_batch(self, tasks: Sequence[dict[str, Any]]) -> redis.ResponseError | None:
        """What Redis answered if it was reached and refused."""
        try:
            producer = self._ready()
            with producer.batch(_BATCH):  # type: ignore[no-untyped-call]  # kombu has not annotated it
                for task in tasks:
                    self._app.send_task(producer=producer, **task)
        except _FAILURES as error:
            self.close()
            for one in (error, error.__cause__):  # kombu wraps some of them
                if isinstance(one, redis.ResponseError):
                    return one
            raise
        return None

    def queue_lengths(self, queues: Iterable[str]) -> dict[str, int]:
        """How many messages wait in each of the queues.

        Raises:
            SendError: within a few seconds.

        """
        names = sorted(set(queues))
        if not names:
            return {}
        try:
            with self._ready().channel.client.pipeline(transaction=False) as pipeline:
                for name in names:
                    pipeline.llen(name)
                lengths = pipeline.execute(raise_on_error=False)
        except _FAILURES as error:
            self.close()
            raise SendError(f"the broker was not reached: {error}") from error
        # A key of another type is no queue, and nothing waits in it.
        return {name: length if isinstance(length, int) else 0 for name, length in zip(names, lengths, strict=True)}

    def close(self) -> None:
        """Close the connection; the next use opens another."""
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            connection.close()  # type: ignore[no-untyped-call]  # kombu has not annotated it

    def _ready(self) -> Producer:
        if self._producer is None:
            self._connection = self._app.connection_for_write()
            self._producer = self._app.amqp.Producer(self._connection, auto_declare=False)
        return self._producer


# What kombu lets through: its own errors, redis-py's, and plain socket errors.
_FAILURES: Final = (KombuError, redis.RedisError, OSError)
