"""Output of a command that changes jobs: a line for each job at once, or with -o the objects at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kubectl_recon.display.formats import Format, objects
from kubectl_recon.display.screen import note
from kubectl_recon.jobs.job import Job, label


@dataclass
class Answers:
    """Collects the outcome of each job. `everywhere`: jobs are shown with their namespace."""

    how: Format | None = None
    everywhere: bool = False
    _bodies: list[Mapping[str, Any]] = field(default_factory=list)

    def name(self, job: Job) -> str:
        """Return the name that the user has to enter."""
        return label(job.key, everywhere=self.everywhere)

    def done(self, job: Job, text: str) -> None:
        """Report success, with the current state of the job."""
        if self.how is None:
            print(f"{self.name(job)}: {text}", flush=True)  # noqa: T201  # the result
        else:
            self._bodies.append(job.raw)

    def absent(self, name: str, text: str) -> None:
        """Report success for a job that no longer exists, so that there is no object to print."""
        if self.how is None:
            print(f"{name}: {text}", flush=True)  # noqa: T201  # the result

    def refused(self, job: Job, text: object) -> None:
        """Report a failure on stderr."""
        note(f"{self.name(job)}: {text}")

    def end(self) -> None:
        """Print the objects, if -o was used."""
        if self.how is not None and self._bodies:
            print(objects(self._bodies, self.how, single=len(self._bodies) == 1))  # noqa: T201  # the result
