"""What became of each job of a command: a line for each at once, or the objects at the end in the format of -o."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kubectl_recon.display.formats import Format, objects
from kubectl_recon.display.screen import note
from kubectl_recon.jobs.job import Job, label


@dataclass
class Answers:
    """The answers of one command. `everywhere`: its jobs are of several namespaces, so each is named with its own."""

    how: Format | None = None
    everywhere: bool = False
    _bodies: list[Mapping[str, Any]] = field(default_factory=list)

    def name(self, job: Job) -> str:
        """The job as the user has to name it."""
        return label(job.key, everywhere=self.everywhere)

    def done(self, job: Job, text: str) -> None:
        """The job, as it is now, is where the command wanted it."""
        if self.how is None:
            print(f"{self.name(job)}: {text}", flush=True)  # noqa: T201  # the result
        else:
            self._bodies.append(job.raw)

    def absent(self, name: str, text: str) -> None:
        """A job of that name is not there, as was wanted. There is no object to print."""
        if self.how is None:
            print(f"{name}: {text}", flush=True)  # noqa: T201  # the result

    def refused(self, job: Job, text: object) -> None:
        """The job is not where the command wanted it."""
        note(f"{self.name(job)}: {text}")

    def end(self) -> None:
        """No more answers."""
        if self.how is not None and self._bodies:
            print(objects(self._bodies, self.how, one=len(self._bodies) == 1))  # noqa: T201  # the result
