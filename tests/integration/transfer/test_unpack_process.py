"""Unpack process: its limits and its exit."""

from __future__ import annotations

import errno
import gzip
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from reconstruction_operator.transfer import unpack_process, unpacker
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits
from reconstruction_operator.transfer.names import Fetched

from tests.support import archives
from tests.support.archives import MB, PHOTOS, pax_tar, tarred, zipped


@pytest.fixture
def limits(limits: Limits) -> Limits:
    """At most 64 MB."""
    return replace(limits, max_bytes=64 * MB)


def unpack(content: bytes, into: Path, limits: Limits, tick: Callable[[float, str], None] = lambda *_: None) -> Fetched:
    path = into.with_name("archive")
    path.write_bytes(content)
    with path.open("rb") as file:
        file.read(10)  # the position in the file does not matter
        return unpack_process.unpack(file, "set", into, limits, tick)


def children() -> set[str]:
    """The child processes of this one; a session with servers has more than those of a test."""
    return {pid for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()}


@pytest.mark.parametrize(
    ("make", "text"),
    [
        pytest.param(
            lambda: archives.zip_with_a_real_huge_directory(150_000), "more than 256 MB of memory", id="zip, directory"
        ),
        pytest.param(
            lambda: archives.tar_with_a_huge_pax_header(280), "more than 256 MB of memory", id="tar.gz, huge header"
        ),
        pytest.param(archives.tar_with_records_in_records, "damaged|of memory", id="tar, records in records"),
        pytest.param(archives.tar_with_a_chain_of_holes, "sparse file|of memory", id="tar.gz, holes"),
        pytest.param(lambda: pax_tar(("a" * 3_000, "x")) * 30_000, "damaged|of memory", id="tar, 30,000 headers"),
    ],
)
def test_bomb_is_refused_in_little_time_and_memory(
    make: Callable[[], bytes], text: str, into: Path, limits: Limits
) -> None:
    content = make()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with pytest.raises(StorageError, match=f"INPUT_REFUSED: set .*({text})"):
        unpack(content, into, limits)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 10.0
    assert sum(path.stat().st_size for path in into.iterdir()) <= 64 * MB


class EnoughError(Exception):
    pass


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: gzip.compress(b"") * 100_000, id="gzip: empty pieces"),
        pytest.param(
            lambda: gzip.compress(tarred(("a.txt", os.urandom(3 * MB))), 1), id="tar.gz: a file that is no photo"
        ),
        pytest.param(archives.zip_of_empty_blocks, id="zip: empty blocks"),
    ],
)
def test_an_exception_of_tick_ends_an_archive_without_output(
    make: Callable[[], bytes], into: Path, limits: Limits
) -> None:
    content, ticks = make(), 0

    def tick(_fraction: float, text: str) -> None:
        nonlocal ticks
        ticks += 1
        if ticks == 10:
            raise EnoughError(text)

    others = children()
    with pytest.raises(EnoughError, match="0 photos unpacked"):
        unpack(content, into, limits, tick)
    assert children() == others


def test_process_has_limits(into: Path, limits: Limits) -> None:
    limited: list[str] = []

    others = children()

    def tick(_fraction: float, _text: str) -> None:
        for pid in children() - others:
            limited[:] = [" ".join(line.split()) for line in Path(f"/proc/{pid}/limits").read_text().splitlines()]
            raise EnoughError

    with pytest.raises(EnoughError):
        unpack(archives.zip_of_empty_blocks(), into, limits, tick)
    assert any(line.startswith(f"Max address space {256 * MB + 20 * 4096} ") for line in limited), limited
    assert any(line.startswith(f"Max file size {64 * MB} ") for line in limited)
    assert any(line.startswith("Max cpu time 3") for line in limited)  # 30 s, and what it used so far


def test_a_disk_error_is_raised_as_oserror(into: Path, limits: Limits) -> None:
    into.rmdir()
    with pytest.raises(FileNotFoundError) as caught:
        unpack(zipped(*PHOTOS), into, limits)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOENT, str(into / "000000.part"))


@pytest.mark.parametrize(
    ("number", "error", "text"),
    [
        (signal.SIGKILL, RuntimeError, "exited with code -9"),
        (signal.SIGXCPU, StorageError, "INPUT_REFUSED: set takes too long"),
    ],
)
def test_killed_process_is_the_workers_error_and_a_slow_one_is_refused(
    number: signal.Signals, error: type[Exception], text: str, into: Path, limits: Limits
) -> None:
    others = children()

    def tick(_fraction: float, _text: str) -> None:
        for pid in children() - others:
            os.kill(int(pid), number)

    with pytest.raises(error, match=text):
        unpack(archives.zip_of_empty_blocks(), into, limits, tick)


def test_process_ends_when_the_worker_has_ended(into: Path) -> None:
    archive_file = into.with_name("archive")
    archive_file.write_bytes(archives.zip_of_empty_blocks())
    request = json.dumps({"into": str(into), "max_bytes": MB, "max_files": 20})
    with (
        archive_file.open("rb") as file,
        subprocess.Popen(
            [sys.executable, "-P", "-m", unpacker.__name__, request], stdin=file, stdout=subprocess.PIPE
        ) as process,
    ):
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(timeout=60) == -signal.SIGPIPE


def test_compressed_tar_is_decompressed_once(into: Path, limits: Limits) -> None:
    """Seeking back makes a decompressor start again: that would be a minute for this archive."""
    photos = ((f"{n}.jpg", bytes(512 * 80)) for n in range(19))
    begun = time.monotonic()
    assert len(unpack(gzip.compress(tarred(*photos), 1), into, limits).photos) == 19
    assert time.monotonic() - begun < 5.0
