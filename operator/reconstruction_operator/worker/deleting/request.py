"""Request to the deletion process: what to delete, with the settings that the process needs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from reconstruction_operator import config


@dataclass(frozen=True, slots=True)
class DeletionRequest:
    """What to delete.

    By default all files of a job. With `uri`, only the copies that its attempts up to `attempt` delivered there. With `trash_until`, only
    results in the trash.
    """

    job_id: str
    cancelled: bool = False  # also delete the copies of a published result
    retain_seconds: int | None = None  # how long the result stays in the trash; None: as in its manifest
    uri: str = ""
    copy: bool = True  # also delete the copy that readers see, not only partial deliveries
    attempt: int = 0
    namespace: str = ""
    workspace: str = ""  # of the requesting run; if it is missing, the run is superseded; empty: not checked
    trash_until: float = 0.0  # delete only results in the trash that expire by then (seconds since 1970)

    @classmethod
    def of_trash(cls, until: float) -> Self:
        """Return the request to delete the results in the trash that expire by `until` (seconds since 1970)."""
        return cls("", trash_until=until)

    def to_line(self, hung_mounts: tuple[str, ...]) -> bytes:
        """Return the request with the settings in use, and the mounts that must not be accessed."""
        message = {"request": asdict(self), "settings": config.for_child(), "hanging": hung_mounts}
        return json.dumps(message).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> tuple[Self, tuple[Path, ...]]:
        """Return the request and the mounts; take over the settings."""
        message = json.loads(line)
        config.take_over(message["settings"])
        return cls(**message["request"]), tuple(map(Path, message["hanging"]))
