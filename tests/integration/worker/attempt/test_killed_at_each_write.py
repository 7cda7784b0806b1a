"""Workers killed before each of their writes: a result is complete or does not exist, and the next attempt succeeds."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import redis
from reconstruction_operator.contract.manifest import Manifest
from reconstruction_operator.jobfiles import folder_deletion, trashed
from reconstruction_operator.jobfiles.layout import JobFolder

from tests.support.worker.attempts import JOB, end, run, want

pytestmark = pytest.mark.usefixtures("wanted")

AGAIN = "7f3d2b10-again"
ABOUT = {"namespace": "default", "namespace_uid": "ns-1", "name": "banana"}
_WRITES = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.truncate")


def killed_before(number: int, action: Callable[[], object]) -> bool:
    """Run the action in a process that is killed just before its write of that number; return False if it makes fewer
    writes.
    """
    child = os.fork()
    if child == 0:
        left = number

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal left
            is_write = event in _WRITES or (
                event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT
            )
            left -= bool(is_write)
            if is_write and left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        try:
            action()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def each_kill(action: Callable[[], object], reset: Callable[[], None]) -> Iterator[int]:
    """Kill the action before each of its writes; yield the number of that write."""
    for number in count(1):
        reset()
        if not killed_before(number, action):
            return
        yield number


def assert_whole(folder: Path, job_id: str) -> None:
    manifest = Manifest.parse((folder / "manifest.json").read_bytes())
    assert manifest is not None
    assert manifest.attempt.job_id == job_id
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == {
        "manifest.json",
        *(file.name for file in manifest.files),
    }
    for file in manifest.files:
        assert hashlib.sha256((folder / file.name).read_bytes()).hexdigest() == file.sha256


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def emptied(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder)
        folder.mkdir()


@pytest.mark.release  # two runs for each write
def test_a_takeover_killed_at_any_write_is_repeated_in_full(client: redis.Redis, jobs_dir: Path) -> None:
    def attempt(number: int = 1) -> None:
        run(number, job_id=AGAIN, reuse="Required", **ABOUT)

    def reset() -> None:
        emptied(jobs_dir)
        shutil.copytree(template, jobs_dir, dirs_exist_ok=True)
        client.flushall()
        want(client, 1, AGAIN)

    run(**ABOUT)
    template = jobs_dir.with_name("made")
    shutil.copytree(jobs_dir, template)
    seen = 0
    for seen in each_kill(attempt, reset):
        want(client, 2, AGAIN)
        attempt(2)
        assert end(client, 2, AGAIN).reused_from is not None
        assert_whole(JobFolder.of(JOB).output, JOB)
        assert_whole(JobFolder.of(AGAIN).output, AGAIN)
        assert names(JobFolder.of(AGAIN).root) == ["output"], f"killed before write {seen}"
    assert seen > 5


def test_a_deletion_killed_at_any_write_keeps_a_whole_result(jobs_dir: Path) -> None:
    def delete() -> None:
        folder_deletion.delete_job_files(JOB, retain_until=4_000_000_000.0)

    def reset() -> None:
        emptied(jobs_dir)
        shutil.copytree(template, jobs_dir, dirs_exist_ok=True)

    run(**ABOUT)
    template = jobs_dir.with_name("made")
    shutil.copytree(jobs_dir, template)
    seen = 0
    for seen in each_kill(delete, reset):
        delete()
        (kept,) = trashed.entries()
        assert_whole(kept.path, JOB)
        assert names(jobs_dir) == [".names", ".trash"], f"killed before write {seen}"
    assert seen > 2
