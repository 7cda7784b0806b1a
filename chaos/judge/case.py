"""Case: one job with its evidence, the input of every check."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from chaos.judge.evidence import Evidence, Leftover, Output
from chaos.system.load import UserJob
from chaos.witnesses.journal import ModelRun
from chaos.witnesses.watcher import History, Snapshot


@dataclass(slots=True)
class Case:
    """One job with its evidence."""

    evidence: Evidence
    job: UserJob

    @property
    def history(self) -> History:
        """What the API showed of the job."""
        return self.evidence.histories.get(self.job.uid) or History(self.job.uid, self.job.namespace, self.job.name)

    @property
    def runs(self) -> Sequence[ModelRun]:
        """The processes of the job's models."""
        return self.evidence.runs.get(self.job.uid, ())

    @property
    def outputs(self) -> Sequence[Output]:
        """The results that were published, in order."""
        return self.evidence.outputs.get(self.job.uid, ())

    @property
    def leftovers(self) -> Sequence[Leftover]:
        """What is left of the job in Redis and files."""
        return self.evidence.leftovers.get(self.job.uid, ())

    @property
    def end(self) -> Snapshot | None:
        """The first snapshot of the finished job."""
        return next((snapshot for snapshot in self.history.snapshots if snapshot.finished), None)

    @property
    def is_gone(self) -> bool:
        """Whether the job's object was deleted."""
        return self.gone_at is not None

    @property
    def gone_at(self) -> float | None:
        """When the job's object was deleted; None: it was not."""
        times = [at for at in (self.job.deleted_at, self.history.gone_at) if at is not None]
        return min(times, default=None)


Check = Callable[[Case], Iterator[str]]
"""Yields one text for each item that it examined: empty, or the problem."""


def problem_if(broken: object, problem: str) -> str:
    """Return the problem if `broken`, else the empty text."""
    return problem if broken else ""


def name(run: ModelRun) -> str:
    """Return the name of a run in the report."""
    return f"{run.attempt} (pid {run.pid})"
