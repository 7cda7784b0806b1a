"""Journals: when each model process really ran, as `models/chaos_models.py` recorded it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ModelRun:
    """One model process. Times are seconds since boot."""

    job_id: str
    attempt: int
    pid: int
    start: float
    last: float  # time of the newest line
    ended: bool  # whether it finished its work
    worker: str = ""
    task_pid: int = 0  # the worker's pool process that ran the task
    stages: tuple[str, ...] = ()  # that it has made, of a model with stages for several pools

    @property
    def signature(self) -> str:
        """The text that the process writes to `made-by.txt` of its result."""
        return f"{self.job_id}.{self.attempt}.{self.pid}"


def read(folder: Path) -> dict[str, list[ModelRun]]:
    """Return the runs by job id, oldest first. Ignore an incomplete last line, of a process killed while it wrote."""
    runs: dict[str, list[ModelRun]] = {}
    for file in folder.iterdir():
        run = _read(file)
        if run is not None:
            runs.setdefault(run.job_id, []).append(run)
    return {job_id: sorted(lines, key=lambda run: run.start) for job_id, lines in runs.items()}


def _read(file: Path) -> ModelRun | None:
    job_id, attempt, pid = file.name.rsplit(".", 2)
    lines = [line.split() for line in file.read_text().split("\n")[:-1]]
    entries = [(float(line[0]), line[1]) for line in lines]
    if not entries:
        return None
    return ModelRun(
        job_id=job_id,
        attempt=int(attempt),
        pid=int(pid),
        start=entries[0][0],
        last=entries[-1][0],
        ended=entries[-1][1] == "end",
        worker=lines[0][2],
        task_pid=int(lines[0][3]),
        stages=tuple(line[2] for line in lines if line[1] == "stage"),
    )
