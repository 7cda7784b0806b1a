"""Transfers of this process: inputs from object storage, and results there, as the worker starts them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reconstruction_operator.transfer import fetch
from reconstruction_operator.transfer.limits import Limits, Tick
from reconstruction_operator.transfer.names import Fetched
from reconstruction_operator.transfer.outputs import Target, target_of
from reconstruction_operator.transfer.runs import EVERY_ATTEMPT, DeliveringRun

from tests.support.refs import make_attempt
from tests.support.results import JOB
from tests.support.storage import ObjectFolder


def fetched(uri: str, into: Path, limits: Limits | None = None, tick: Tick = lambda *_: None) -> Fetched:
    """Fetch an input into the folder `into`; objects are kept beside it."""
    return fetch.fetch(uri, into, into.with_name("fetched"), limits or Limits.from_config(), tick)


def photos(uri: str, into: Path, limits: Limits | None = None, tick: Tick = lambda *_: None) -> dict[str, bytes]:
    """Fetch an input; return the content of each photo by its name."""
    return {path.name: path.read_bytes() for path in fetched(uri, into, limits, tick).photos}


def kept(into: Path) -> dict[str, int]:
    """Return the complete objects that were kept beside `into`, and their inodes."""
    return {path.name: path.stat().st_ino for path in into.with_name("fetched").iterdir() if not path.suffix}


def contents(folder: Path) -> dict[str, bytes]:
    """Return the content of each file in a flat folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@dataclass(frozen=True)
class Output:
    """An output address in object storage."""

    bucket: ObjectFolder
    folder: str = "meshes/"

    @property
    def uri(self) -> str:
        return f"{self.bucket.address}/{self.folder}"

    @property
    def _target(self) -> Target:
        return target_of(self.uri, "maps")

    def check(self, job: str = JOB) -> None:
        self._target.check(DeliveringRun(make_attempt(job), None), lambda: None)

    def deliver(
        self,
        result: Path,
        attempt: int = 1,
        *,
        workspace: Path | None = None,
        check: Callable[[], None] = lambda: None,
        tick: Tick = lambda *_: None,
    ) -> None:
        self._target.deliver(result, DeliveringRun(make_attempt(JOB, attempt), workspace), check, tick)

    def withdraw(self, attempt: int = EVERY_ATTEMPT, *, workspace: Path | None = None, copy: bool = True) -> None:
        self._target.withdraw(DeliveringRun(make_attempt(JOB, attempt), workspace), copy=copy)

    @property
    def pointer(self) -> dict[str, str | int]:
        pointer: dict[str, str | int] = json.loads(self.bucket.get(f"{self.folder}result.json"))
        return pointer

    def read(self) -> dict[str, bytes]:
        """Return the result as a reader finds it: first the pointer, then the files of its folder."""
        prefix = f"{self.folder}{self.pointer['folder']}"
        return {key.removeprefix(prefix): self.bucket.get(key) for key in self.bucket.keys if key.startswith(prefix)}
