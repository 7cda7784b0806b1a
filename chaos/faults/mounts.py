"""Mount fault: a mount with copies hangs while the operator orders their deletion."""

from __future__ import annotations

import contextlib
import json
import uuid
from typing import Final

import redis
from celery import Celery
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.records import Owner
from reconstruction_operator.state import calls, operator_calls

from chaos.faults.table import PATIENCE_SECONDS, Context, Fault, Heal
from chaos.polling import wait_for
from chaos.system.scene import Scene
from devcluster import DevclusterError
from devcluster.mounts import dead_mount

_JOBS = 20  # more than the slots of all workers
_INSTALL = "chaos"  # the operators of the run ignore its records
_LEADER: Final[operator_calls.Leader] = {"fence": 1, "install_id": _INSTALL}
_QUEUE = "celery"
_ORDER_SECONDS = 5.0


def _hang(context: Context) -> Heal:
    """Order the clean-up of cancelled jobs whose copies are on a dead mount; repeat the orders after the mount is removed."""
    scene, stack = context.scene, contextlib.ExitStack()
    place = scene.delivered / f".dead-{uuid.uuid4().hex[:8]}"  # hidden from the witnesses of copies
    context.missed = not stack.enter_context(dead_mount(place))
    job_ids = [f"{place.name[1:]}-{number}" for number in range(_JOBS)]
    for job_id in job_ids:
        note = scene.jobs_dir / job_id / "attempts" / "1-x" / "owner.json"
        with contextlib.suppress(OSError):  # the disk may be full or read-only: nothing to delete then
            note.parent.mkdir(parents=True)
            note.write_text(json.dumps({**_owner(job_id).to_json(), "outputUri": f"file://{place / job_id}"}))
    _order(scene, job_ids)

    def heal() -> None:
        stack.close()
        _clean_up(scene, job_ids)

    return heal


def _owner(job_id: str) -> Owner:
    return Owner(job_id, _INSTALL, "red", job_id, _QUEUE, 1)


def _order(scene: Scene, job_ids: list[str]) -> None:
    """Write records and cancel flags, then send clean-up messages, as the operator does."""
    with contextlib.suppress(redis.RedisError), Celery("chaos", broker=scene.redis.url(0), set_as_current=False) as app:
        for job_id in job_ids:
            put = operator_calls.put_record(
                Keys(""), job_id=job_id, namespace="red", name=job_id, attempt=1, queue=_QUEUE, **_LEADER
            )
            calls.run(scene.state, put)
            calls.run(scene.state, operator_calls.assert_cancelled(Keys(""), job_id=job_id, **_LEADER))
            app.send_task("reconstruction.cleanup", (job_id,), queue=_QUEUE, retry=False)


def _clean_up(scene: Scene, job_ids: list[str]) -> None:
    """Wait until all files are deleted, and forget the jobs. Workers skip a mount for a minute after it hung."""

    def left() -> list[str]:
        return [job_id for job_id in job_ids if (scene.jobs_dir / job_id).exists()]

    for _ in range(round(PATIENCE_SECONDS / _ORDER_SECONDS)):
        if not left():
            break
        scene.supervise()
        with contextlib.suppress(OSError):  # kombu does not convert socket errors
            _order(scene, left())
        wait_for(lambda: not left(), _ORDER_SECONDS, lambda: None)
    else:
        raise DevclusterError(f"files of jobs whose copies were on a dead mount were not deleted: {left()}")
    for job_id in job_ids:
        with contextlib.suppress(redis.RedisError):
            forget = operator_calls.forget(Keys(""), job_id=job_id, attempts=1, **_LEADER)
            calls.run(scene.state, forget)


FAULTS: Final = (Fault("mount of copies hangs during clean-ups", "mounts", _hang, hold=(4.0, 15.0), needs_disk=True),)
