"""Transfer requests: what the worker asks of the process that transfers objects, with the settings for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from reconstruction_operator import config
from reconstruction_operator.transfer.objects.address import ObjectAddress

OnProgress = Callable[[int, int, int, int], None]
"""Takes the objects done, all objects, the bytes done and all bytes. Called often, even without progress; may raise."""


@dataclass(frozen=True, slots=True)
class Connection:
    """Settings of a connection."""

    stall_seconds: float  # after so many seconds without a byte, a transfer has stalled
    at_once: int  # maximum number of objects transferred at the same time
    ca_file: str  # file of certificates to trust besides the system's; empty: none

    @classmethod
    def from_config(cls) -> Connection:
        """Return the connection that the settings describe."""
        its = config.settings
        return cls(its.STORAGE_STALL_SECONDS, its.STORAGE_TRANSFERS, its.STORAGE_CA_FILE)


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """Fetch the photos of a folder, or one archive, into the folder `kept`; nothing if the listing has a `known` digest."""

    address: ObjectAddress
    kept: Path
    max_bytes: int
    max_files: int
    connection: Connection
    known: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeliverRequest:
    """Deliver a sealed result; without `source`, only check whether the delivery would be refused."""

    address: ObjectAddress
    job_id: str
    attempt: int
    workspace: Path | None  # the run is superseded once this folder is deleted; None: no check
    source: Path | None
    connection: Connection
    predecessors: tuple[str, ...] = ()  # earlier jobs whose results this job reuses


TransferRequest = FetchRequest | DeliverRequest
_KINDS: dict[str, type[TransferRequest]] = {
    "fetch": FetchRequest,
    "deliver": DeliverRequest,
}
_PATHS = ("kept", "workspace", "source")


@dataclass(frozen=True, slots=True)
class FetchedObject:
    """One object in the folder `kept`."""

    name: str  # below the address
    file: str  # in the folder
    bytes: int

    @classmethod
    def of(cls, data: dict[str, Any]) -> Self:
        """Return the object that JSON describes."""
        return cls(str(data["name"]), str(data["file"]), int(data["bytes"]))


def to_line(request: TransferRequest) -> bytes:
    """Return the request as one line."""
    kind = next(name for name, one in _KINDS.items() if isinstance(request, one))
    return json.dumps({"kind": kind, **asdict(request)}, default=str).encode() + b"\n"


def from_line(line: bytes) -> TransferRequest:
    """Return the request in a line."""
    data = json.loads(line)
    kind = _KINDS[data.pop("kind")]
    data["address"], data["connection"] = ObjectAddress(**data["address"]), Connection(**data["connection"])
    for name in _PATHS:
        if data.get(name) is not None:
            data[name] = Path(data[name])
    return kind(**data)
