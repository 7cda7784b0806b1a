"""Paths of the demo's files, all below one folder that git ignores."""

from __future__ import annotations

import shutil
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.files import CHECKOUT

RECON = CHECKOUT / ".venv/bin/recon"


class DemoError(DevclusterError):
    """The demo cannot continue; the message has the reason and the remedy."""


class Places:
    """The folders of one run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.jobs = root / "jobs"  # the worker's job folders, removed at the end
        self.logs = root / "logs"  # of operator, worker and gallery
        self.uploads = root / "uploads"  # photos uploaded in the gallery
        self.first_mesh = root / "first-mesh"  # by the engine alone
        self.token = root / "gallery-token"  # of the gallery's user
        self.kubectl_cache = root / ".kubectl-cache"  # of the cluster's resources
        self.lock = root / ".lock"  # held by the running demo
        self.running = root / ".running.json"  # names the process that keeps a demo running in the background

    def result(self, job: str) -> Path:
        """Return the folder of a job's mesh, previews and manifest."""
        return self.root / job

    def shown(self, path: Path) -> str:
        """Return a path as a user types it in the checkout."""
        return str(path.relative_to(CHECKOUT)) if path.is_relative_to(CHECKOUT) else str(path)

    def empty(self) -> None:
        """Make the folders, and remove files of an earlier demo."""
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
        self.uploads.mkdir()

    def clean(self) -> None:
        """Remove the temporary files."""
        for folder in (self.jobs, self.kubectl_cache, self.uploads):
            shutil.rmtree(folder, ignore_errors=True)
        self.token.unlink(missing_ok=True)
