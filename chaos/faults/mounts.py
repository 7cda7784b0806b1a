"""Faults of files: a mount with copies hangs while the operator orders their deletion; the disk of a tenant's copies is
full; a tenant's jobs fill the job volume; workers are killed inside deletions, also of folders with half an owner's
note.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
import uuid
from pathlib import Path
from signal import SIGKILL
from typing import Any, Final

import redis
from celery import Celery
from reconstruction_operator.api import codec
from reconstruction_operator.api.identity import AttemptRef, JobRef
from reconstruction_operator.contract.attempt import Orders
from reconstruction_operator.contract.envelope import Envelope
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.state import calls, operator_calls

from chaos.faults.processes import end_process
from chaos.faults.table import PATIENCE_SECONDS, Context, Fault, Heal, together
from chaos.polling import wait_for
from chaos.system.disk import Disk
from chaos.system.scene import WORKERS, Scene
from devcluster import DevclusterError
from devcluster.mounts import dead_mount, small_disk

_JOBS = 20  # more than the slots of all workers
_DELIVERIES = 3
_FILLERS = 2
_FILLED_SECONDS = 60.0  # until they have ended
_LARGE = 4  # jobs with so many files that a deletion takes a moment
_FILES = 4000
_BEGIN_SECONDS = 20.0
_RETAIN_SECONDS = 3600.0
_INSTALL = "chaos"  # the operators of the run ignore its records
_LEADER: Final[operator_calls.Leader] = {"fence": 1, "install_id": _INSTALL}
_QUEUE = "celery"
_ORDER_SECONDS = 5.0


def _hang(context: Context) -> Heal:
    """Order the clean-up of cancelled jobs whose copies are on a dead mount; repeat the orders after the mount is
    removed.
    """
    scene, stack = context.scene, contextlib.ExitStack()
    place = scene.delivered / f".dead-{uuid.uuid4().hex[:8]}"  # hidden from the witnesses of copies
    context.missed = not stack.enter_context(dead_mount(place))
    job_ids = [f"{place.name[1:]}-{number}" for number in range(_JOBS)]
    for job_id in job_ids:
        note = scene.jobs_dir / job_id / "attempts" / "1-x" / "owner.json"
        with contextlib.suppress(OSError):  # the disk may be full or read-only: nothing to delete then
            note.parent.mkdir(parents=True)
            note.write_text(json.dumps({**_note(job_id), "outputUri": f"file://{place / job_id}"}))
    _order(scene, job_ids)

    def heal() -> None:
        stack.close()
        _clean_up(scene, job_ids)

    return heal


def _fill_a_tenants_disk(context: Context) -> Heal:
    """Deliver results of one tenant to its full disk.

    Results of another tenant, which are in the trash, must stay there.
    """
    scene, stack = context.scene, contextlib.ExitStack()
    place = scene.delivered / f".full-{uuid.uuid4().hex[:8]}"  # hidden from the witnesses of copies
    place.mkdir()
    context.missed = not stack.enter_context(small_disk(place, 1))
    if not context.missed:
        Disk(place, own=True).fill()
    retained = _retain(scene, place.name[1:])
    job_ids = [f"{place.name[1:]}-{number}" for number in range(_DELIVERIES)]
    _send(scene, "placeholder", job_ids, outputs=place)

    def heal() -> None:
        is_kept = (retained / "model.glb").exists()
        stack.close()
        _clean_up(scene, job_ids)
        shutil.rmtree(retained, ignore_errors=True)
        if not is_kept:
            raise DevclusterError("a full disk of one tenant's copies cost another tenant's result in the trash")

    return heal


def _fill_the_volume_by_jobs(context: Context) -> Heal:
    """Run jobs of one tenant that fill the job volume.

    The result of another tenant, which is in the trash, must stay there.
    """
    scene, name = context.scene, f"full-{uuid.uuid4().hex[:8]}"
    retained = _retain(scene, name)
    job_ids = [f"{name}-{number}" for number in range(_FILLERS)]
    _send(scene, "journal-filler", job_ids)

    def ended(how_many: int) -> bool:
        return sum(scene.state.hexists(Keys("").job(job_id), "outcome") for job_id in job_ids) >= how_many

    context.missed = True  # all workers are busy, or another fault of the round hit them
    with contextlib.suppress(redis.RedisError):
        wait_for(lambda: ended(_FILLERS), _FILLED_SECONDS, scene.supervise)
        context.missed = not ended(1)  # one fills the volume; a worker that dies takes another one with it
    is_kept = context.missed or (retained / "model.glb").exists()

    def heal() -> None:
        _clean_up(scene, job_ids)
        shutil.rmtree(retained, ignore_errors=True)
        if not is_kept:
            raise DevclusterError(
                "a tenant's jobs that filled the job volume cost another tenant's result in the trash"
            )

    return heal


def _kill_in_deletions(context: Context) -> Heal:
    """Kill a worker while it deletes large job folders; half of these have only the first half of
    their owner's note.
    """
    scene = context.scene
    job_ids = [f"large-{uuid.uuid4().hex[:8]}-{number}" for number in range(_LARGE)]
    for number, job_id in enumerate(job_ids):
        workspace, note = scene.jobs_dir / job_id / "attempts" / "1-x", json.dumps(_note(job_id))
        with contextlib.suppress(OSError):  # the disk may be full or read-only
            (workspace / "output").mkdir(parents=True)
            (workspace / "owner.json").write_text(note[: len(note) // 2] if number % 2 else note)
            for file in range(_FILES):
                (workspace / "output" / str(file)).touch()
    _order(scene, job_ids)
    folders = [scene.jobs_dir / job_id for job_id in job_ids]
    begun = wait_for(lambda: not all(folder.exists() for folder in folders), _BEGIN_SECONDS, lambda: None)
    context.missed = begun is None
    if context.missed:  # all workers are busy
        return lambda: _clean_up(scene, job_ids)
    heals = [end_process(context, name, SIGKILL) for name in WORKERS]
    context.missed = False  # also if one of them had ended
    return together([*heals, lambda: _clean_up(scene, job_ids)])


def _tombstones(scene: Scene, job_ids: list[str]) -> list[Path]:
    return [place for job_id in job_ids for place in (scene.jobs_dir / ".deleted").glob(f"{job_id}-*")]


def _retain(scene: Scene, name: str) -> Path:
    """Put a result of another tenant into the trash."""
    until = int(time.time() + _RETAIN_SECONDS)
    retained = scene.jobs_dir / ".trash" / "green" / "00" / f"{name}-retained~{until}~8192"
    retained.mkdir(parents=True)
    (retained / "model.glb").write_bytes(b"mesh")
    return retained


def _send(scene: Scene, model: str, job_ids: list[str], *, outputs: Path | None = None) -> None:
    """Send a job of the tenant red for each id, as the operator does; with `outputs`, results are delivered to folders
    there.
    """
    with contextlib.suppress(redis.RedisError), Celery("chaos", broker=scene.redis.url(0), set_as_current=False) as app:
        for job_id in job_ids:
            _put_record(scene, job_id)
            job = Envelope(
                attempt=_attempt(job_id),
                input_uri=f"file://{scene.photos}",
                output_uri="" if outputs is None else f"file://{outputs / job_id}",
                orders=Orders(last=True),
            )
            message = (job_id, model, job.to_json())
            app.send_task("reconstruction.process", message, task_id=f"{job_id}-1", queue=_QUEUE, retry=False)


def _put_record(scene: Scene, job_id: str) -> None:
    calls.run(scene.state, operator_calls.put_record(Keys(""), _attempt(job_id), **_LEADER))


def _attempt(job_id: str) -> AttemptRef:
    return AttemptRef(JobRef("red", job_id, job_id, _INSTALL), 1, _QUEUE)


def _note(job_id: str) -> dict[str, Any]:
    return {"attempt": codec.encode(_attempt(job_id))}


def _order(scene: Scene, job_ids: list[str]) -> None:
    """Write records and cancel flags, then send clean-up messages, as the operator does."""
    with contextlib.suppress(redis.RedisError), Celery("chaos", broker=scene.redis.url(0), set_as_current=False) as app:
        for job_id in job_ids:
            _put_record(scene, job_id)
            calls.run(scene.state, operator_calls.change_flags(Keys(""), job_id=job_id, change="confirm", **_LEADER))
            app.send_task("reconstruction.cleanup", (job_id,), queue=_QUEUE, retry=False)


def _clean_up(scene: Scene, job_ids: list[str]) -> None:
    """Wait until all files are deleted, and forget the jobs. Workers skip a mount for a minute after it hung."""

    def left() -> list[str]:
        return [job_id for job_id in job_ids if (scene.jobs_dir / job_id).exists() or _tombstones(scene, [job_id])]

    scene.down.difference_update(WORKERS)  # another fault of the round may keep them ended
    for _ in range(round(PATIENCE_SECONDS / _ORDER_SECONDS)):
        if not left():
            break
        scene.supervise()
        with contextlib.suppress(OSError):  # kombu does not convert socket errors
            _order(scene, left())
        wait_for(lambda: not left(), _ORDER_SECONDS, lambda: None)
    else:
        raise DevclusterError(f"files of cancelled jobs were not deleted: {left()}")
    for job_id in job_ids:
        with contextlib.suppress(redis.RedisError):
            forget = operator_calls.forget(Keys(""), job_id=job_id, **_LEADER)
            calls.run(scene.state, forget)


FAULTS: Final = (
    Fault("mount of copies hangs during clean-ups", "mounts", _hang, hold=(4.0, 15.0), needs_disk=True),
    Fault("workers killed inside deletions", "workers", _kill_in_deletions, harms=True),
    # On the same target as the faults of the job volume, whose shortage may cost results in the trash.
    Fault("disk of a tenant's copies full", "disk", _fill_a_tenants_disk, hold=(4.0, 10.0), needs_disk=True),
    Fault("job volume filled by a tenant's jobs", "disk", _fill_the_volume_by_jobs, harms=True, needs_disk=True),
)
