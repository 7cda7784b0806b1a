"""Usage watch: memory and CPU time of real processes. The memory limit: test_process.py."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from reconstruction_operator.worker.model.usage import UsageWatch

_MEBIBYTE = 1024**2
# The child of a child holds the memory; each line that it gets makes it allocate 32 MB more.
_HOLDER = """
import sys
import time
held = []
print(flush=True)
for line in sys.stdin:
    held.append(b"x" * (32 << 20))
    print(flush=True)
"""
_LEADER = f"import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', {_HOLDER!r}], check=True)"


class Holder:
    """A process whose child allocates on demand."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-S", "-c", _LEADER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.pid = self.process.pid
        self.wait()

    def wait(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "\n"

    def allocate(self) -> None:
        assert self.process.stdin is not None
        print(file=self.process.stdin, flush=True)
        self.wait()


@pytest.fixture
def holder() -> Iterator[Holder]:
    process = Holder()
    with process.process:
        yield process


def test_memory_of_all_descendants_counts(holder: Holder) -> None:
    watch = UsageWatch(holder.pid, 0, "photogrammetry", period_seconds=0.0)
    watch.check()
    before = watch.newest_bytes
    holder.allocate()
    watch.check()

    assert watch.newest_bytes - before > 30 * _MEBIBYTE
    assert watch.peak_bytes == watch.newest_bytes


def test_cpu_time_of_all_descendants_counts(holder: Holder) -> None:
    watch = UsageWatch(holder.pid, 0, "photogrammetry", period_seconds=0.0)
    watch.check()
    before = watch.cpu_seconds
    for _ in range(5):
        holder.allocate()
    watch.check()

    assert watch.cpu_seconds > before


def test_an_ended_process_keeps_its_last_measurements(holder: Holder) -> None:
    watch = UsageWatch(holder.pid, 0, "photogrammetry", period_seconds=0.0)
    watch.check()
    known = watch.newest_bytes
    holder.process.communicate()

    watch.check()

    assert (watch.newest_bytes, watch.peak_bytes) == (known, known)
    assert known > 0


def test_a_process_that_ended_before_the_first_check_counts_as_zero() -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", ""]) as ended:
        pass
    watch = UsageWatch(ended.pid, 1, "photogrammetry", period_seconds=0.0)

    watch.check()

    assert (watch.newest_bytes, watch.peak_bytes) == (0, 0)


def test_checks_are_limited_to_one_per_period() -> None:
    watch = UsageWatch(os.getpid(), 0, "photogrammetry", period_seconds=3_600.0)
    watch.check()
    watch.newest_bytes = 0

    watch.check()

    assert watch.newest_bytes == 0


def test_what_a_process_and_its_children_read_and_wrote_counts_also_after_their_end(tmp_path: Path) -> None:
    (tmp_path / "read").write_bytes(bytes(3 * _MEBIBYTE))
    code = """
import pathlib, subprocess, sys
if sys.argv[1] == "leader":
    child_code = [sys.executable, "-S", "-c", sys.argv[2], "child", ""]
    with subprocess.Popen(child_code, stdin=subprocess.PIPE, stdout=1) as child:
        sys.stdin.readline()
        child.communicate(b"go\\n")
    print("gone", flush=True)
else:
    pathlib.Path("written").write_bytes(pathlib.Path("read").read_bytes()[: 1 << 20])
    print("moved", flush=True)
sys.stdin.readline()
"""
    leader = subprocess.Popen(
        [sys.executable, "-S", "-c", code, "leader", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    with leader:
        assert leader.stdin is not None
        assert leader.stdout is not None
        watch = UsageWatch(leader.pid, 0, "model", period_seconds=0.0)
        assert leader.stdout.readline() == "moved\n"
        watch.check()
        print(file=leader.stdin, flush=True)
        assert leader.stdout.readline() == "gone\n"
        watch.check()
        print(file=leader.stdin, flush=True)
    assert 3 * _MEBIBYTE <= watch.read_bytes < 6 * _MEBIBYTE
    assert _MEBIBYTE <= watch.written_bytes < 2 * _MEBIBYTE


def test_the_gpus_of_the_worker_are_held_as_long_as_the_model_runs(tmp_path: Path) -> None:
    assert UsageWatch(os.getpid(), 0, "splats", devices=tmp_path).gpu_seconds is None
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    began = time.monotonic()
    watch = UsageWatch(os.getpid(), 0, "splats", devices=tmp_path)
    time.sleep(0.1)
    held = watch.gpu_seconds
    assert held is not None
    assert 0.2 <= held <= 2 * (time.monotonic() - began)
