"""Storage jobs: photos and result are in object storage; workers run without an operator."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from celery.result import AsyncResult
from reconstruction_operator.contract.envelope import Envelope

from devcluster import wait_until
from devcluster.harness.workers import Farm
from tests.support.photos import make_photo
from tests.support.refs import make_attempt
from tests.support.results import JOB, seal


class ObjectFolder(Protocol):
    """A bucket or container, accessed by a client other than the workers' client."""

    @property
    def address(self) -> str:
        """The address, such as `s3://bucket`."""

    @property
    def keys(self) -> list[str]:
        """The keys of all objects."""

    @property
    def unfinished_uploads(self) -> list[str]:
        """The uploads in parts that were neither completed nor aborted."""

    def put(self, key: str, content: bytes) -> None: ...

    def get(self, key: str) -> bytes: ...

    def delete(self, key: str) -> None: ...


_SECONDS = 180.0


@dataclass(frozen=True)
class StorageJob:
    """A job and its attempts. Its photos are below `set/`, its result below `meshes/`."""

    farm: Farm
    bucket: ObjectFolder

    def put_photos(self, count: int = 10) -> int:
        """Put photos into the bucket; return their total size in bytes."""
        photos = [make_photo(size=(1200, 900), quality=95) for _ in range(count)]
        for number, photo in enumerate(photos):
            self.bucket.put(f"set/{number}.jpg", photo)
        return sum(map(len, photos))

    def send(self, attempt: int = 1, model: str = "rough-good") -> AsyncResult:
        """Start an attempt."""
        self.farm.put_record(JOB, attempt)
        envelope = Envelope(
            make_attempt(JOB, attempt),
            input_uri=f"{self.bucket.address}/set/",
            output_uri=f"{self.bucket.address}/meshes/",
        )
        return self.farm.send(JOB, model, envelope.to_json(), task_id=f"{JOB}-{attempt}")

    def end(self, attempt: int = 1) -> Any:
        """Wait until that attempt has ended; return its end."""
        job = wait_until(
            lambda: self.farm.seen(JOB, f"{JOB}-{attempt}").end,
            f"attempt {attempt} to end",
            timeout_seconds=_SECONDS,
            seen=self.farm.log_ends,
        )
        assert job is not None
        return job

    def wait_fetched(self) -> dict[str, int]:
        """Wait for the first complete photos; return them as `fetched`."""
        wait_until(self.fetched, "the first photos", timeout_seconds=_SECONDS, seen=self.farm.log_ends)
        return self.fetched()

    def fetched(self, attempt: int | str = "*") -> dict[str, int]:
        """Return names and inodes of the complete photos of an attempt.

        The inode shows which attempt fetched a photo.
        """
        paths = (self.farm.jobs_dir / JOB / "attempts").glob(f"{attempt}-*/fetched/*")
        return {path.name: _inode(path) for path in paths if not path.suffix}

    def wait_sent(self) -> None:
        """Wait for the first object of a result."""
        wait_until(lambda: self.sent, "the upload to begin", timeout_seconds=_SECONDS, seen=self.farm.log_ends)

    @property
    def delivered(self) -> set[str]:
        """The keys of objects at the address of the result."""
        return {key for key in self.bucket.keys if key.startswith("meshes/")}

    @property
    def sent(self) -> set[str]:
        """The keys of a result: all except a probe."""
        return {key for key in self.delivered if not key.endswith("-probe")}

    def assert_delivered(self) -> None:
        """Assert that the address contains one complete result, and nothing else."""
        folder = json.loads(self.bucket.get("meshes/result.json"))["folder"]
        manifest = json.loads(self.bucket.get(f"meshes/{folder}manifest.json"))
        for file in manifest["files"]:
            content = self.bucket.get(f"meshes/{folder}{file['name']}")
            assert (len(content), hashlib.sha256(content).hexdigest()) == (file["bytes"], file["sha256"])
        names = {f"meshes/{folder}{file['name']}" for file in manifest["files"]}
        assert self.delivered == {*names, f"meshes/{folder}manifest.json", "meshes/result.json"}
        assert self.bucket.unfinished_uploads == []


def sealed_result(folder: Path, *, mesh_bytes: int) -> Path:
    """Seal a result of the job in a new folder: a mesh of that size, and a picture."""
    return seal(folder, {"model.glb": os.urandom(64) * (mesh_bytes // 64), "preview.png": b"picture"})


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except FileNotFoundError:  # the next attempt took it over just now
        return 0
