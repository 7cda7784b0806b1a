"""Cache of programs: one process makes each folder once, and the folder appears when it is complete."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from devcluster.files import cache_folder, locked
from devcluster.programs.progress import Spinner


def cached(name: str, title: str, make: Callable[[Path, Spinner], None]) -> Path:
    """Return the folder `name` of the cache. If it does not exist, let `make` fill a new one, and show `title`."""
    folder = cache_folder() / name
    if folder.exists():
        return folder
    folder.parent.mkdir(exist_ok=True)
    with Spinner(title) as progress:
        progress.detail = "waiting for another process with the same task"
        with locked(folder.with_name(f"{folder.name}.lock")):
            if not folder.exists():
                with tempfile.TemporaryDirectory(prefix="new-", dir=folder.parent) as temporary:
                    new = Path(temporary) / folder.name
                    new.mkdir()
                    make(new, progress)
                    new.replace(folder)
    return folder
