"""Promises of the protocol: invariants after every step, and liveness once no more faults happen."""

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import redis
from reconstruction_operator.api.status import Phase
from reconstruction_operator.contract.manifest import MANIFEST
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.outcomes import reason as reason_of
from reconstruction_operator.contract.records import OPERATOR_TOKEN
from reconstruction_operator.jobfiles import folder_deletion, results
from reconstruction_operator.jobfiles.layout import OWNER, JobFolder
from reconstruction_operator.services import file_handler

from tests.real.protocol.installation import WORKERS, Installation
from tests.real.protocol.world import INSTALL, Message, Run, Snapshot, Worker
from tests.support.protocol.contents import Contents

ROUNDS: Final = 40  # in which every job ends, once no more faults happen
FOR_EVER: Final = ("job:", "records:", "fence:", "epoch", "workers")  # the only keys without a TTL


class Promises(Installation):
    """An installation whose promises are checked from outside."""

    def __init__(self, client: redis.Redis, jobs: Sequence[str]) -> None:
        super().__init__(client, jobs)
        self.outputs: dict[str, str] = {}  # job -> token whose output was sealed
        self.published: set[str] = set()  # jobs whose output was sealed once
        self.rooms: dict[str, set[str]] = {}  # job -> the staging directories of its attempts
        self.succeeded: dict[str, str] = {}  # job -> the same, once the status is Succeeded
        self.restored = False  # to older data
        self.asserted: set[str] = set()  # jobs whose cancel a leader has confirmed in Redis, before any end
        self.troubled: set[str] = set()  # jobs of which a run has failed, or has lost its heartbeat

    def restore(self, snapshot: Snapshot, *, restarts: bool) -> None:
        """With the flags of before: what no leader has confirmed again is no cancel for a run that ends first."""
        super().restore(snapshot, restarts=restarts)
        self.asserted.clear()
        self.restored = True

    def silence(self, job: str) -> None:
        """A run of the job may then count as lost."""
        super().silence(job)
        self.troubled.add(job)

    def take(self, message: Message, *, fails: bool) -> Run:
        """A run that is to fail counts as a failure."""
        if fails:
            self.troubled.add(message.job)
        return super().take(message, fails=fails)

    def fail(self, run: Run, fault: OSError) -> None:
        """A failed write fails the run."""
        self.troubled.add(run.message.job)
        super().fail(run, fault)

    def kill(self, run: Run) -> None:
        """Its job then loses a worker."""
        self.troubled.add(run.message.job)
        super().kill(run)

    # --- Whenever a run moves

    def begun(self, run: Run) -> None:
        """A leg of an attempt is claimed once, and a finished job begins no attempt."""
        task, job = run.message.part, run.message.job
        assert task not in self.granted, f"{task} was given to {self.granted[task]}, and then to {run.token}"
        self.granted[task] = run.token
        thing = self.objects[job]
        assert self.emptied or not thing.finished, f"{task} begins, but its job has ended as {thing.status.phase}"

    def moved(self, run: Run) -> None:
        """A run has changed only files that it may change."""
        job = run.message.job
        token = self.sealed(job)
        if token is None and job in self.outputs:
            gone = self.outputs.pop(job)
            assert self._may_delete(run), f"{run} deleted the output of {gone}"
        elif token is not None:
            assert self.outputs.setdefault(job, token) == token, f"{run} replaced the output of {self.outputs[job]}"
            self._is_complete(job, file_handler.output_dir(job))
            self.published.add(job)
        if self.delivered(job) is not None:
            self._is_complete(job, self.meshes / job)
        rooms = {path.name for path in JobFolder.of(job).attempts.glob("[1-9]*")}
        for name in self.rooms.get(job, set()) - rooms:
            earlier = int(name.partition("-")[0]) <= run.message.attempt
            assert earlier or self._may_delete(run), f"{run} deleted the folder of a later attempt, {name}"
        self.rooms[job] = rooms

    def _may_delete(self, run: Run) -> bool:
        heard = run.heartbeat is not None and run.heartbeat.interruption is not None
        cancelled = heard or self.keys.cancel(run.message.job) in self.now().values
        return cancelled or run.message.attempt == 0 or run.message.job in self.vanished

    def _is_complete(self, job: str, folder: Path) -> None:
        for sealed in json.loads((folder / MANIFEST).read_text())["files"]:
            digest = hashlib.sha256((folder / sealed["name"]).read_bytes()).hexdigest()
            assert digest == sealed["sha256"], f"{sealed['name']} of {job} in {folder} is not what was sealed"

    # --- After every step

    def hold(self) -> None:
        """Check what holds at any time."""
        state = self.now()
        for key, ttl_ms in state.ttls.items():
            assert ttl_ms is not None or key.startswith(FOR_EVER), f"{key} has no TTL"
        for job in self.jobs:
            ends = self._ends(job)
            self._an_end_is_of_its_claimant(ends)
            requested, confirmed = (key in state.values for key in (f"cancel_request:{job}", f"cancel:{job}"))
            assert job in self.asked or not (requested and confirmed), f"{job} is requested and confirmed"
            self._what_ended_stays_so(job, ends)
            self._a_confirmed_cancel_is_no_success(state, job, ends)
            self._a_success_has_its_output(job)
            self._a_failure_or_a_cancel_has_a_cause(job)

    def _ends(self, job: str) -> dict[str, dict[str, Any]]:
        return {task: end for task, end in self.ended.items() if task.startswith(f"{job}-")}

    def _an_end_is_of_its_claimant(self, ends: dict[str, dict[str, Any]]) -> None:
        for task, end in ends.items():
            assert end["ended_by"] in (end["token"], OPERATOR_TOKEN), f"{task} ended as {end}"
            job, _, attempt = task.rpartition("-")
            held = self.now().fields(self.keys.job(job)) or {}
            if held.get("attempt") == attempt:
                kept = {name: held.get(name) for name in ("outcome", "ended_by", "ended_at")}
                assert kept.items() <= end.items(), f"{task} ended as {end}, and is {held}"

    def _what_ended_stays_so(self, job: str, ends: dict[str, dict[str, Any]]) -> None:
        if self.emptied:
            return
        counts = [task for task, end in ends.items() if end["outcome"] == Outcome.SUCCEEDED]
        assert len(counts) <= 1, f"{counts} all succeeded"
        final = [task for task, end in ends.items() if end["outcome"] in (Outcome.SUCCEEDED, Outcome.CANCELLED)]
        later = [
            task
            for task in self.granted
            if task.startswith(f"{job}-") and task.partition(".")[0] > max(final, default="~")
        ]
        assert not later, f"{later} began after {final}"

    def _a_confirmed_cancel_is_no_success(self, state: Contents, job: str, ends: dict[str, dict[str, Any]]) -> None:
        """The flag alone decides. If it is lost with everything else, nothing ends before it is set again."""
        flag = self.keys.cancel(job)
        if job in self.cleared or self.objects[job].deleted:
            self.asserted.discard(job)  # of a deleted job it is not set again, and its end does not matter
            return
        counts = [task for task, end in ends.items() if end["outcome"] == Outcome.SUCCEEDED]
        if self.objects[job].spec.cancel_confirmed and flag in state.values and not counts:
            self.asserted.add(job)
        assert not (job in self.asserted and counts), f"{counts} succeeded though the cancel was confirmed"

    def _a_success_has_its_output(self, job: str) -> None:
        thing = self.objects[job]
        if not thing.succeeded or thing.deleted or job in self.vanished:
            self.succeeded.pop(job, None)
            return
        token = self.sealed(job)
        assert token is not None, f"{job} has succeeded, and its output is missing"
        assert self.succeeded.setdefault(job, token) == token, f"the output of {job} changed after its end"
        assert self.delivered(job) == token, f"{job} has succeeded, and its copy is of {self.delivered(job)}"

    def _a_failure_or_a_cancel_has_a_cause(self, job: str) -> None:
        """Neither the loss of another key nor older data counts as a failure."""
        thing = self.objects[job]
        assert thing.status.failures <= thing.spec.backoff_limit + 1, f"{job} was tried beyond its limit"
        excused = job in self.troubled or job in self.vanished
        assert excused or thing.status.failures == 0, f"a failure of {job} was counted: {thing.status.failure}"
        is_cancelled = thing.status.phase is Phase.CANCELLED
        assert not is_cancelled or thing.spec.cancel_confirmed or job in self.asked | self.confirmed, (
            f"{job} was cancelled without a confirmation"
        )

    # --- Once no more faults happen

    def everything_ends(self, *, with_another_leader: bool) -> None:
        """Every job ends as it must; and once it is deleted, nothing is left of it."""
        for thing in self.objects.values():
            if thing.spec.suspend:
                self.wish(thing, "a user suspends or resumes")
        if with_another_leader:
            self.lead(1 - self.leader)
        self._see_all()
        cancelled = self._must_be_cancelled()
        self._until("every job has ended", lambda: all(thing.over for thing in self.objects.values()))
        for job in cancelled:
            thing = self.objects[job]
            assert thing.deleted or thing.status.phase is Phase.CANCELLED, (
                f"the cancel of {job} was confirmed, and it is {thing.status.phase}"
            )
        self._round()  # of those that have just ended
        self._round()
        self._until("every cleanup is done", lambda: not self.messages and not self.runs)
        self._until("no cancelled job has files", lambda: not any(self._has_files(job) for job in self._cancelled()))
        copied = {job: self.delivered(job) for job in self.succeeded}
        state = self.now()
        for job, thing in self.objects.items():
            # The request of a job that was never sent and is deleted unseen expires.
            left = not thing.deleted and f"cancel_request:{job}" in state.values
            assert not left, f"a request is left of {job}, {thing.status.phase}"
            self.delete(thing)
        if self.restored:  # deletions are then found within an hour
            self.workers = {node: Worker() for node in WORKERS}
        self._until("nothing is left of the jobs", self._nothing_is_left)
        for job, token in copied.items():
            # Once Redis has forgotten how it ended, the job manager's flag makes a cancelled job of it.
            assert self.delivered(job) == token or job in self.asked | self.confirmed, (
                f"the copy of {job} went with its files"
            )
        # A result that was published may have been reported, if only to the deleted object. With the folder, the note
        # may go.
        may_stay = {job for job in self.published if self.objects[job].status.phase is not Phase.CANCELLED}
        delivered = [path.name for path in self.meshes.iterdir() if path.name not in may_stay]
        strays = [name for name in delivered if not any(job in name for job in self.vanished)]
        assert not strays, f"{strays} is left where the jobs delivered"

    def _see_all(self) -> None:
        """The leader has observed everything and acted once: flags are set again."""
        leader = self.operators[self.leader]
        self.sweep(leader)
        for job in (*self.jobs, *self.jobs):
            self.turn(leader, job)

    def _must_be_cancelled(self) -> list[str]:
        """Jobs whose cancel is confirmed, and that had not finished before."""
        existing = []
        for job, thing in self.objects.items():
            if not thing.spec.cancel_confirmed or thing.over:
                continue
            ends = [
                (Outcome(end["outcome"]), str(json.loads(end["details"]).get("reason")))
                for end in self._ends(job).values()
            ]
            if not any(_is_final(outcome, reason) for outcome, reason in ends):
                existing.append(job)
        return existing

    def _cancelled(self) -> list[str]:
        """Jobs that ended so, and whose objects are there."""
        existing = self.objects.items()
        return [job for job, thing in existing if thing.status.phase is Phase.CANCELLED and not thing.deleted]

    def _has_files(self, job: str) -> bool:
        folder = file_handler.job_dir(job)
        delivered = job not in self.vanished and any(job in path.name for path in self.meshes.iterdir())
        return delivered or (folder.exists() and not self._has_no_owner(folder))

    def _nothing_is_left(self) -> bool:
        if not self.runs:
            folder_deletion.drop_empty_folders(math.inf)  # as each worker does every hour
        results.drop_stale()
        left = [
            key for key in self.client.keys("*") if any(job in key for job in self.jobs) and self.client.pttl(key) < 0
        ]
        recorded = self.client.smembers(self.keys.records(INSTALL))
        folders = [entry for entry in self.root.iterdir() if not self._has_no_owner(entry)]
        return not (left or recorded or folders or self.messages or self.runs)

    def _has_no_owner(self, folder: Path) -> bool:
        """Left by a worker that was killed before it wrote the ownership note, of a job whose
        record was lost as well.
        """
        empty = all(path.is_dir() or path.name == OWNER for path in folder.rglob("*"))
        return empty and self.emptied

    def _until(self, what: str, holds: Callable[[], bool]) -> None:
        """Fair turns for all until it holds."""
        for _ in range(ROUNDS):
            if holds():
                return
            self._round()
        seen = {job: (thing.status.phase, thing.deleted) for job, thing in self.objects.items()}
        files = [str(path.relative_to(self.root)) for path in self.root.rglob("*")]
        raise AssertionError(
            f"not within {ROUNDS} rounds: {what}; {seen}, {self.runs}, {self.messages}, {self.now().values}, {files}"
        )

    def _round(self) -> None:
        leader = self.operators[self.leader]
        tokens = {run.token for run in self.runs.values()}
        for key, value in self.now().values.items():
            if key.startswith("alive:") and value not in tokens:
                self.client.delete(key)  # of a worker that was killed
        self.state = None
        for node, worker in self.workers.items():
            if node == WORKERS[0] or worker.inventory is not None:  # all workers find the same folders
                self.register(node)
        self.sweep(leader)
        for job in self.jobs:
            self.turn(leader, job)
        for message in list(dict.fromkeys(self.messages)):
            if len(self.runs) < len(WORKERS):
                self.messages.remove(message)
                self.take(message, fails=False)
        for run in list(self.runs.values()):
            self.beat(run)
            self.advance(run, 60)
        self.hold()


def _is_final(outcome: Outcome, reason: str) -> bool:
    return outcome is Outcome.SUCCEEDED or (outcome is Outcome.FAILED and not reason_of(reason).retriable)
