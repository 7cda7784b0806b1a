"""Dispatch: sends messages to the workers, as `apply_async` would, but in batches and without waiting for long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import redis
from celery import Celery, Task
from kombu.connection import Connection
from kombu.exceptions import KombuError
from kombu.messaging import Producer

from reconstruction_operator.api.identity import AttemptRef, check_job_id
from reconstruction_operator.broker import celery_settings, transport
from reconstruction_operator.contract.envelope import Envelope

_BATCH: Final = 500  # messages in one round trip
_FAILURES: Final = (KombuError, redis.RedisError, OSError)  # kombu passes on errors of redis-py and of sockets


class SendError(Exception):
    """The broker was not reached. Any number of the messages may have been sent: resend all of them."""


@dataclass(frozen=True, slots=True)
class Message:
    """The message to run an attempt."""

    envelope: Envelope
    model_type: str

    @property
    def task_id(self) -> str:
        """The Celery task id."""
        return self.envelope.attempt.task_id

    @property
    def queue(self) -> str:
        """The Celery queue."""
        return self.envelope.attempt.queue


@dataclass(frozen=True, slots=True)
class CleanUp:
    """The message that orders any worker of the attempt's queue to delete the job's files."""

    attempt: AttemptRef
    retain_seconds: int | None = None  # how long the result stays in the trash; None: as in the result's manifest

    @property
    def task_id(self) -> str:
        """The Celery task id."""
        return cleanup_id(self.attempt.job_id)

    @property
    def queue(self) -> str:
        """The Celery queue."""
        return self.attempt.queue


def header(task: Task, name: str) -> str:
    """Return that header of a task's message, as its sender or instrumentation has set it; empty if it has none."""
    return str(getattr(task.request, name, None) or (task.request.headers or {}).get(name) or "")


def cleanup_id(job_id: str) -> str:
    """Return the id of the message that orders the deletion of the job's files."""
    return f"{job_id}-cleanup"


def _task(message: Message | CleanUp) -> dict[str, Any]:
    """Return the arguments of Celery's `send_task`."""
    where = {"task_id": message.task_id, "queue": message.queue}
    if isinstance(message, CleanUp):
        job_id = check_job_id(message.attempt.job_id)
        order = {} if message.retain_seconds is None else {"kwargs": {"retain_seconds": message.retain_seconds}}
        return where | order | {"name": celery_settings.CLEANUP_TASK, "args": (job_id,), "ignore_result": True}
    job_id = check_job_id(message.envelope.attempt.job_id)
    job = message.envelope.to_json()
    # In a header too, where other workers and instrumentation expect it.
    headers = {"headers": {"traceparent": message.envelope.traceparent}} if message.envelope.traceparent else {}
    arguments = {"args": (job_id, message.model_type), "kwargs": {"job": job}}
    return where | headers | {"name": celery_settings.PROCESS_TASK} | arguments


class Dispatcher:
    """A connection to the broker, for one thread. Connects at its first use, and again after a failure."""

    def __init__(self) -> None:
        self._app = Celery("reconstruction_operator.dispatch", set_as_current=False)
        self._app.conf.update(celery_settings.settings(), task_publish_retry=False)
        # No result backend: with one, each message would also subscribe to its result. Set by class, since the
        # environment variable CELERY_RESULT_BACKEND overrides the setting.
        self._app.backend_cls = "disabled"
        self._connection: Connection | None = None
        self._producer: Producer | None = None

    def send(self, messages: Sequence[Message | CleanUp]) -> dict[str, str]:
        """Send the messages, in order within each queue; returns the queues that Redis refused, each with the reason.

        Users choose the names of queues. A queue whose key has the wrong type, or to which the operator's Redis user
        may not write, must not delay the others.

        Raises:
            SendError: the broker was unreachable for a few seconds.
            ValueError: a job id is not safe; nothing was sent.
        """
        by_queue: dict[str, list[dict[str, Any]]] = {}
        for message in messages:
            by_queue.setdefault(message.queue, []).append(_task(message))
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
        """Send to one queue; returns the error with which Redis refused, if it did."""
        try:
            producer = self._ready()
            with producer.batch(_BATCH):  # type: ignore[no-untyped-call]  # kombu has not annotated it
                for task in tasks:
                    self._app.send_task(producer=producer, **task)
        except _FAILURES as error:
            self.close()
            for cause in (error, error.__cause__):  # kombu wraps some errors
                if isinstance(cause, redis.ResponseError):
                    return cause
            raise
        return None

    def close(self) -> None:
        """Close the connection; the next use opens a new one."""
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            connection.close()  # type: ignore[no-untyped-call]  # kombu has not annotated it

    def _ready(self) -> Producer:
        if self._producer is None:
            self._connection = self._app.connection_for_write()
            self._producer = self._app.amqp.Producer(self._connection, auto_declare=False)
        return self._producer
