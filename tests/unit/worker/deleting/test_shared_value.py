"""Shared value: one holder at a time among all processes; the death of a holder neither locks nor damages the value."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest
from reconstruction_operator.worker.deleting.shared_value import SharedValue

_NOEXEC_SEAL = 0x8


@pytest.mark.parametrize(
    ("hardened", "error"),
    [
        pytest.param(True, errno.EACCES, id="vm.memfd_noexec-is-2"),
        pytest.param(False, errno.EINVAL, id="before-linux-6.3"),
    ],
)
def test_a_value_works_whether_memory_may_be_executable_or_not(
    monkeypatch: pytest.MonkeyPatch, hardened: bool, error: int
) -> None:
    create, asked = os.memfd_create, []

    def as_there(name: str, flags: int) -> int:
        asked.append(flags)
        if bool(flags & _NOEXEC_SEAL) is not hardened:
            raise OSError(error, "refused")
        return create(name)

    monkeypatch.setattr(os, "memfd_create", as_there)
    shared = SharedValue("test", [])
    with shared.held() as value:
        value.append("a")
    with shared.held() as value:
        assert value == ["a"]
    assert all(flags & os.MFD_CLOEXEC for flags in asked)


def test_the_next_holder_gets_a_change_in_place() -> None:
    value = SharedValue("test", {})
    with value.held() as held:
        held["a"] = [1]
    with value.held() as held:
        assert held == {"a": [1]}


def test_a_process_that_is_forked_meanwhile_does_not_keep_the_lock() -> None:
    value = SharedValue("test", {})
    ends, goes = os.pipe()
    with value.held():
        child = os.fork()
        if child == 0:  # as a new process of the pool, which continues and never releases the lock
            os.close(goes)
            os.read(ends, 1)
            os._exit(0)
    try:
        with value.held(wait=False) as held:
            assert held == {}
    finally:
        os.close(goes)
        os.close(ends)
        os.waitpid(child, 0)


def test_a_change_is_dropped_if_its_holder_fails() -> None:
    value = SharedValue("test", ["initial"])

    def fail() -> None:
        with value.held() as held:
            held.append("half")
            raise OSError

    with pytest.raises(OSError):  # without a text
        fail()
    with value.held(wait=False) as held:
        assert held == ["initial"]


def test_a_shorter_value_replaces_a_longer_one() -> None:
    value = SharedValue("test", list(range(100)))
    with value.held() as held:
        held.append(100)
    with value.held() as held:
        del held[1:]
    with value.held() as held:
        assert held == [0]


def test_another_process_waits_for_the_lock_until_its_holder_dies() -> None:
    value = SharedValue("test", [])
    file = value._memory
    take = f"import fcntl, os; f = os.open('/proc/self/fd/{file}', os.O_RDWR); fcntl.flock(f, fcntl.LOCK_EX"
    with value.held() as held:
        held.append("x")
        tried = subprocess.run([sys.executable, "-c", f"{take} | fcntl.LOCK_NB)"], pass_fds=(file,), check=False)
        assert tried.returncode == 1
    hold = f"{take}); print(os.read(f, 9).decode(), flush=True); os.read(0, 1)"
    with subprocess.Popen(
        [sys.executable, "-c", hold], pass_fds=(file,), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b'["x"]\n'
        with value.held(wait=False) as held:
            assert held is None
        other.kill()
    with value.held(wait=False) as held:
        assert held == ["x"]


def test_a_value_that_was_cut_off_is_the_initial_one() -> None:
    value = SharedValue("test", ["initial"])
    with value.held() as held:
        held[:] = ["another"]
    os.truncate(value._memory, 5)  # as if its writer had died
    with value.held() as held:
        assert held == ["initial"]
