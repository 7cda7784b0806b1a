"""Values that all processes of a worker share."""

from __future__ import annotations

import errno
import os

import pytest
from reconstruction_operator.worker.deleting.shared import SharedValue

_NOEXEC_SEAL = 0x8


@pytest.mark.parametrize(
    ("hardened", "error"),
    [
        pytest.param(True, errno.EACCES, id="vm.memfd_noexec-is-2"),
        pytest.param(False, errno.EINVAL, id="before-linux-6.3"),
    ],
)
def test_a_value_is_kept_whether_memory_may_be_executable_or_not(
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
