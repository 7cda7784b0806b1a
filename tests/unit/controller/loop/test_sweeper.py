"""Sweeper: a sweep ends even if workers report more folders meanwhile."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.records import Record
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.kube.installation import Installation
from reconstruction_operator.controller.loop.sweeper import Sweeper
from reconstruction_operator.state import calls, reads


async def test_folders_that_are_reported_again_and_again_do_not_hold_up_a_sweep(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reads, "FOLDERS_BATCH", 1)
    asked: list[str] = []

    async def answer(_client: object, call: calls.Call[Any]) -> Any:
        asked.append(call.script.name)
        return {"job": Record("", "", "", 1, "")} if call.script.name == "list_folders" else None

    monkeypatch.setattr(calls, "arun", answer)
    nothing: Any = None
    view: Any = SimpleNamespace(state=None, keys=Keys(prefix=""))
    sweeper = Sweeper(
        nothing,
        view,
        Cache(),
        nothing,
        election=nothing,
        installation=Installation("install"),
        sweep_seconds=60.0,
        list_seconds=60.0,
    )

    await sweeper._take_folder_reports(1)

    assert asked.count("list_folders") == 100
