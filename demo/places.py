"""Paths of the demo's files: everything under one folder that git ignores."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from devcluster.files import CHECKOUT


@dataclass(frozen=True)
class Places:
    """The folders of one run."""

    root: Path

    @property
    def jobs(self) -> Path:
        """The worker's job folders; they are removed at the end."""
        return self.root / "jobs"

    @property
    def logs(self) -> Path:
        """The logs of operator and worker."""
        return self.root / "logs"

    @property
    def kubectl_cache(self) -> Path:
        """Kubectl's cache of the cluster's resources."""
        return self.root / ".kubectl-cache"

    @property
    def lock(self) -> Path:
        """Held by the demo that runs."""
        return self.root / ".lock"

    @property
    def running(self) -> Path:
        """Names the process that keeps a demo running in the background."""
        return self.root / ".running.json"

    def result(self, job: str) -> Path:
        """Mesh, previews and manifest of a job."""
        return self.root / job

    def shown(self, path: Path) -> str:
        """A path as a user types it in the checkout."""
        return str(path.relative_to(CHECKOUT)) if path.is_relative_to(CHECKOUT) else str(path)

    def empty(self) -> None:
        """Make the folders, and remove what an earlier demo left in them."""
        self.root.mkdir(exist_ok=True)
        for entry in self.root.iterdir():
            if entry in (self.lock, self.running):
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        self.jobs.mkdir()
        self.logs.mkdir()
