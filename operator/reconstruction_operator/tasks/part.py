"""The Celery task `reconstruction.part`: a worker helps with the run of another worker."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from typing import Any

from celery import Task, shared_task
from celery.exceptions import Ignore
from redis.exceptions import RedisError

from reconstruction_operator.broker import acknowledging
from reconstruction_operator.broker.backlog import BacklogReader
from reconstruction_operator.contract import pools
from reconstruction_operator.contract.envelope import PartOrder
from reconstruction_operator.state.calls import ProtocolError
from reconstruction_operator.telemetry import logs
from reconstruction_operator.worker.parts.helping import Helper

logger = logging.getLogger(__name__)


@shared_task(bind=True, name="reconstruction.part", ignore_result=True, Request=acknowledging.REQUEST)  # type: ignore[untyped-decorator]
def make_parts(self: Task, order: Mapping[str, Any]) -> None:
    """Make parts of stages for the run that `order` names, a `contract.envelope.PartOrder` as JSON.

    A helper that is lost or fails costs the run only the part that it was making. So nothing is repeated here.

    Raises Ignore: the order is malformed, or Redis is unavailable.
    """
    try:
        parsed = PartOrder.from_json(order)
    except (TypeError, ValueError) as error:
        logger.error("an order to help cannot be understood and is dropped: %s", error)  # noqa: TRY400
        raise Ignore from None
    attempt = parsed.attempt
    fields = {
        "namespace": attempt.job.namespace,
        "job": attempt.job.name,
        "uid": attempt.job_id,
        "attempt": attempt.number,
    }
    with logs.about(**fields), contextlib.closing(BacklogReader()) as backlog:
        helper = Helper(parsed, str(self.request.id), str(self.request.hostname), lambda: _others_wait(self, backlog))
        try:
            logger.info("%s: %s", attempt.job, helper.help())
        except (RedisError, ProtocolError) as error:
            logger.info("%s is not helped: %s", attempt.job, error)
            raise Ignore from None


def _others_wait(task: Task, backlog: BacklogReader) -> bool:
    """Return whether a job waits in a queue of this worker."""
    try:
        return backlog.count(pools.of_jobs(task.app.amqp.queues.consume_from)) > 0
    except RedisError:
        return True
