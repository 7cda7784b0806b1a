"""Room on the job volume: what is deleted early, in which order, and not more than necessary."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from reconstruction_operator import disk
from reconstruction_operator.jobfiles import kept_stages, layout, room, trashed
from reconstruction_operator.jobfiles.layout import JobFolder, Workspace

from tests.support.refs import make_attempt

RED, GREEN = "red", "green"


@pytest.fixture
def space(jobs_dir: Path) -> Workspace:
    """The workspace of a failed run."""
    space = JobFolder.of("uid-1").new_workspace(make_attempt("uid-1"))
    space.scratch.mkdir(parents=True)
    space.owner_note.write_text("{}")
    (space.scratch / "big").write_bytes(bytes(1 << 16))
    return space


def retain(namespace: str, job_id: str, until: int) -> Path:
    folder = layout.trash_shard(namespace, job_id) / f"{job_id}~{until}~8192"
    folder.mkdir(parents=True)
    (folder / "model.glb").write_bytes(b"mesh")
    return folder


def keep_stages(namespace: str, job_id: str, until: int) -> None:
    folder = layout.kept_stages() / f"{namespace}~d1~{job_id}~{until}~8192"
    folder.mkdir(parents=True)
    (folder / "features").write_bytes(b"f")


def make_room(space: Workspace) -> int:
    """As `room.make`, but each wait only moves the clock."""
    now = [0.0]

    def wait(seconds: float) -> None:
        now[0] += seconds

    return room.make(RED, space, clock=lambda: now[0], wait=wait)


def left() -> list[str]:
    stages = [kept.job_id for kept in kept_stages.entries(layout.kept_stages())]
    return sorted([*stages, *(kept.job_id for kept in trashed.entries())])


@pytest.fixture
def short_until(monkeypatch: pytest.MonkeyPatch, jobs_dir: Path) -> Callable[[int], None]:
    """Make the volume short while it has more than so many files."""

    def files() -> int:
        return sum(len(names) for _, _, names in os.walk(jobs_dir))

    def apply(most: int) -> None:
        monkeypatch.setattr(disk, "is_short", lambda _: files() > most)
        monkeypatch.setattr(disk, "free_bytes", lambda _: (100 - files()) * 4096)

    return apply


def test_nothing_is_lost_if_the_runs_own_files_filled_the_volume(
    space: Workspace, short_until: Callable[[int], None]
) -> None:
    retain(GREEN, "green-1", 1)
    retain(RED, "red-1", 2)
    keep_stages(GREEN, "green-2", 1)
    short_until(4)  # the files of all others, and the note
    assert make_room(space) == 0
    assert left() == ["green-1", "green-2", "red-1"]
    assert list(space.root.iterdir()) == [space.owner_note]


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        (6, ["green-1", "green-2", "green-3", "red-1", "red-2"]),
        (5, ["green-1", "green-2", "red-1", "red-2"]),
        (4, ["green-1", "green-2", "red-2"]),
        (3, ["green-1", "green-2"]),
        (2, ["green-2"]),
        (1, []),
    ],
)
def test_stages_go_before_results_and_those_of_the_own_namespace_before_others(
    space: Workspace, short_until: Callable[[int], None], most: int, expected: list[str]
) -> None:
    for until, job_id in enumerate(("green-1", "green-2"), start=1):
        retain(GREEN, job_id, until)
    for until, job_id in enumerate(("red-1", "red-2"), start=5):
        retain(RED, job_id, until)
    keep_stages(GREEN, "green-3", 1)
    keep_stages(RED, "red-3", 2)
    short_until(most)
    deleted = make_room(space)
    assert left() == expected
    assert deleted == 4 - sum(job_id not in ("green-3", "red-3") for job_id in expected)


def test_a_result_whose_files_have_other_links_is_not_deleted_in_vain(
    space: Workspace, short_until: Callable[[int], None]
) -> None:
    taken_over = JobFolder.of("red-9").output
    taken_over.mkdir(parents=True)
    (taken_over / "model.glb").hardlink_to(retain(RED, "red-1", 1) / "model.glb")
    short_until(1)
    assert make_room(space) == 0
    assert left() == ["red-1"]


def test_space_that_is_free_a_moment_later_costs_nothing(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on XFS and btrfs."""
    retain(GREEN, "green-1", 1)
    waited: list[float] = []
    monkeypatch.setattr(disk, "is_short", lambda _: len(waited) < 3)
    monkeypatch.setattr(disk, "free_bytes", lambda _: 0 if len(waited) < 3 else 1 << 20)
    assert room.make(RED, space, wait=waited.append) == 0
    assert left() == ["green-1"]


def test_a_volume_that_stays_short_is_waited_for_a_limited_time(
    space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        retain(GREEN, f"green-{number}", number)
    seconds: Iterator[float] = iter(range(1_000))
    monkeypatch.setattr(disk, "is_short", lambda _: True)
    monkeypatch.setattr(disk, "free_bytes", lambda _: 0)
    assert room.make(RED, space, clock=lambda: float(next(seconds)), wait=lambda _: None) == 5
    assert next(seconds) < 30
