from __future__ import annotations

import pytest

from tests.support.worker.deletions import delete_in_this_process


@pytest.fixture(autouse=True)
def _deletions(monkeypatch: pytest.MonkeyPatch) -> None:
    delete_in_this_process(monkeypatch)
