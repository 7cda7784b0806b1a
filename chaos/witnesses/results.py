"""Result watcher: polls the job folders and keeps each distinct result of each job."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from chaos import clock
from chaos.judge.evidence import Output
from chaos.polling import Poller
from chaos.witnesses.deliveries import MANIFEST


class ResultWatcher:
    """Polls the results in the job folders."""

    def __init__(self, jobs_dir: Path) -> None:
        self._jobs_dir = jobs_dir
        self.poller = Poller("results", self.poll)
        self.found: dict[str, list[Output]] = {}
        """Each observed result by job id, in order."""

    def poll(self) -> None:
        """Add the new results."""
        for uid, output in self.there().items():
            known = self.found.setdefault(uid, [])
            if not known or known[-1].digest != output.digest:
                known.append(output)

    def there(self) -> dict[str, Output]:
        """Return the currently published results by job id."""
        read = {path.parent.parent.name: _read(path) for path in self._jobs_dir.glob(f"*/output/{MANIFEST}")}
        return {uid: output for uid, output in read.items() if output is not None}


def _read(manifest: Path) -> Output | None:
    """Return None if the result is deleted meanwhile."""
    try:
        raw = manifest.read_bytes()
        content = json.loads(raw)
        sizes = {file["name"]: file["bytes"] for file in content["files"]}
        wrong = [name for name, size in sizes.items() if (manifest.parent / name).stat().st_size != size]
        signature = (manifest.parent / "made-by.txt").read_text()
    except FileNotFoundError:
        return None
    return Output(
        at=clock.now(),
        attempt=content["attempt"]["number"],
        digest=hashlib.sha256(raw).hexdigest(),
        signature=signature,
        bytes=sum(sizes.values()),
        problem=f"{wrong} differ in size from the manifest" if wrong else "",
    )
