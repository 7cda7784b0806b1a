"""Copies of results at `spec.output`: a run checks the target before its work, delivers, and withdraws a copy that does
not count.
"""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

from reconstruction_operator.contract.attempt import SupersededError
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import End
from reconstruction_operator.jobfiles import notes, publishing
from reconstruction_operator.jobfiles.layout import JobFolder, Workspace
from reconstruction_operator.transfer import uris
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Tick
from reconstruction_operator.transfer.outputs import Target, target_of
from reconstruction_operator.transfer.runs import DeliveringRun
from reconstruction_operator.worker.attempt.assignment import Assignment
from reconstruction_operator.worker.heartbeat import Heartbeat
from reconstruction_operator.worker.interruption import call_interruptibly
from reconstruction_operator.worker.withdrawal import WITHDRAWALS, Withdrawal

logger = logging.getLogger(__name__)


class Copies:
    """The copies of one run."""

    def __init__(self, assignment: Assignment, heartbeat: Heartbeat) -> None:
        self._assignment = assignment
        self._heartbeat = heartbeat
        self._predecessors: frozenset[str] = frozenset()
        self._existed = False  # whether a copy of this job existed when the run began
        self.may_arrive = False  # whether a server may still carry out a request of a check that was interrupted
        self._published = True  # whether that copy is of a published result; until the check, it may be

    def begin(self, space: Workspace, predecessors: frozenset[str] = frozenset()) -> None:
        """Write the note of the workspace: its owner, and where copies of the job are. Check the target, too.

        `predecessors`: earlier jobs whose results the run may take over; its copy replaces their copies.

        The first note precedes the check, whose probe stays at the target if the worker dies: it is deleted with the
        job's files.
        """
        self._predecessors = predecessors
        uri, attempt = self._assignment.envelope.output_uri, self._assignment.attempt
        if uri:
            if not attempt.is_bare:
                notes.note(space, attempt, uri, published=True)
            self.check()
            self._heartbeat.confirm()  # the check may have waited for a disk
        if attempt.is_bare:
            return
        self._published = self._existed and notes.is_of_published_result(JobFolder.of(attempt.job_id), uri)
        if self._published:
            logger.info(
                "%s: the copy at %s belongs to a deleted result of this job; it stays until a new copy replaces it",
                self._assignment.job,
                uris.redacted(uri),
            )
        notes.note(space, attempt, uri, published=self._published)

    def check(self) -> None:
        """Raise StorageError if the copy would be refused, before hours of work."""
        assignment = self._assignment
        target = self._target(assignment.envelope.output_uri)
        self.may_arrive = target.path is None
        try:
            self._existed = target.check(self._run(None), self._heartbeat.check)
        except SupersededError:
            pass  # the workspaces decide which run is the later one
        except StorageError:
            # A published result is reported with the refusal, later.
            if publishing.read_sealed(assignment.job.uid) is None:
                self.may_arrive = False
                raise
        self.may_arrive = False

    def replace_no_other(self) -> None:
        """Replace no copy of a predecessor: the run takes over no result. Check the target again, as `check` does."""
        self._predecessors = frozenset()
        self.check()

    def deliver(self, source: Path, uri: str, space: Workspace, tick: Tick = lambda *_: None) -> None:
        """Copy the sealed folder `source` to `uri`, unless `uri` is empty.

        Raises StorageError or OSError if the copy failed, SupersededError, and any interruption of the run.
        """
        if not uri:
            return
        target, check = self._target(uri), self._heartbeat.check
        deliver = partial(target.deliver, source, self._run(space.root), check, tick)
        try:
            # A thread could continue in the background while a cancel deletes the copy; a process is killed.
            deliver() if target.path is None else call_interruptibly(deliver, check)
        except SupersededError:
            owned = self._heartbeat.confirm()
            check()
            if owned:
                target_uri = uris.redacted(uri)
                raise OSError(
                    f"the files copied to {target_uri} vanished at once: another program deletes files there"
                ) from None
            raise

    def withdraw(self, end: End | None, space: Workspace | None) -> bool:
        """Delete the delivered copy of a result that does not count.

        Return False if the note of the copy must stay, so that another deletion follows: this one failed, or a probe
        may still arrive.
        """
        assignment = self._assignment
        if not assignment.envelope.output_uri or (end is not None and end.outcome is Outcome.SUCCEEDED):
            return True
        if end is not None and end.outcome is Outcome.CANCELLED:
            workspace = None  # the job was deleted, so no other attempt begins
        elif space is None or publishing.read_sealed(assignment.job.uid) is not None:
            return True  # this attempt or another reports the published result
        else:
            workspace = space.root
        copy = workspace is None or not self._published
        try:
            WITHDRAWALS.perform(
                Withdrawal(assignment.envelope.output_uri, DeliveringRun(assignment.attempt, workspace), copy)
            )
        except SupersededError:
            return True
        except StorageError as error:
            logger.warning("not permitted to delete the delivered copy of job %s: %s", assignment.job.uid, error)
        except OSError as error:
            logger.error("could not delete the delivered copy of job %s: %s", assignment.job.uid, error)  # noqa: TRY400  # the message is enough
            return False
        return not self.may_arrive

    def _target(self, uri: str) -> Target:
        return target_of(uri, self._assignment.job.namespace)

    def _run(self, folder: Path | None) -> DeliveringRun:
        return DeliveringRun(self._assignment.attempt, folder, self._predecessors)
