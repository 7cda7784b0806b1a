"""Requests to the process that deletes files: what to delete, and the settings that say where."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

from reconstruction_operator import config


@dataclass(frozen=True, slots=True)
class DeletionRequest:
    """What to delete: all files of a job; with a `uri` only what its attempts up to `attempt` delivered there; or results in the trash."""

    job_id: str
    cancelled: bool = False  # also delete the copies of a published result
    retain_seconds: int | None = None  # how long its result waits in the trash; None: as the result's manifest says
    uri: str = ""
    copy: bool = True  # also delete the copy that readers see, not only partial deliveries
    attempt: int = 0
    namespace: str = ""
    # Workspace of the run that asks, which is overtaken once the workspace is deleted; empty: no check
    workspace: str = ""

    trash_until: float = 0.0  # seconds since 1970: delete only results in the trash whose time is over then

    @classmethod
    def of_trash(cls, until: float) -> Self:
        """A request for the results in the trash whose time is over at `until` (seconds since 1970)."""
        return cls("", trash_until=until)

    def to_line(self, hanging: tuple[str, ...]) -> bytes:
        """The request with the settings in use, and folders that must not be touched."""
        settings = config.settings
        where = {
            "JOBS_DIR": settings.JOBS_DIR,
            "OUTPUT_ROOTS": settings.OUTPUT_ROOTS,
            "NAMESPACE_OUTPUTS": settings.NAMESPACE_OUTPUTS,
            "STORAGE_SCHEMES": settings.STORAGE_SCHEMES,
            "STORAGE_STALL_SECONDS": settings.STORAGE_STALL_SECONDS,
            "STORAGE_CA_FILE": settings.STORAGE_CA_FILE,
        }
        return json.dumps({"request": asdict(self), "settings": where, "hanging": hanging}).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> tuple[Self, tuple[Path, ...]]:
        """The request and the folders; takes over the settings."""
        message = json.loads(line)
        where = message["settings"]
        grants = tuple((namespace, prefix) for namespace, prefix in where["NAMESPACE_OUTPUTS"])
        lists = {name: tuple(where[name]) for name in ("OUTPUT_ROOTS", "STORAGE_SCHEMES")}
        config.use(replace(config.settings, **{**where, **lists, "NAMESPACE_OUTPUTS": grants}))
        return cls(**message["request"]), tuple(map(Path, message["hanging"]))
