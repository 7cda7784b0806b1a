"""Argo CD's health and actions, on their test data, in a real Lua 5.1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster.harness.dashboards.argocd import Customization
from scripts.generate.integrations import CUSTOMIZATION
from tests.support.paths import CHECKOUT

FOLDER = CHECKOUT / CUSTOMIZATION
OURS = Customization(FOLDER)
HEALTH = yaml.safe_load((FOLDER / "health_test.yaml").read_text())["tests"]
ACTIONS = yaml.safe_load((FOLDER / "actions" / "action_test.yaml").read_text())


def read(path: Path) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(path.read_text())
    return data


@pytest.mark.parametrize("case", HEALTH, ids=lambda case: Path(case["inputPath"]).stem)
def test_health(case: dict[str, Any]) -> None:
    assert OURS.health(read(FOLDER / case["inputPath"])) == case["healthStatus"]


@pytest.mark.parametrize("case", ACTIONS["discoveryTests"], ids=lambda case: Path(case["inputPath"]).stem)
def test_offered_actions(case: dict[str, Any]) -> None:
    offered = OURS.actions(read(FOLDER / "actions" / case["inputPath"]))
    assert [{"name": name, "disabled": not enabled} for name, enabled in offered.items()] == case["result"]


@pytest.mark.parametrize("case", ACTIONS["actionTests"], ids=lambda case: str(case["action"]))
def test_changes_by_an_action(case: dict[str, Any]) -> None:
    before = read(FOLDER / "actions" / case["inputPath"])
    assert OURS.act(case["action"], before) == read(FOLDER / "actions" / case["expectedOutputPath"])


def test_every_action_is_tested_and_every_piece_of_test_data_is_used() -> None:
    used = {(FOLDER / case["inputPath"]).resolve() for case in HEALTH}
    used |= {(FOLDER / "actions" / case["expectedOutputPath"]).resolve() for case in ACTIONS["actionTests"]}
    assert used == {*FOLDER.glob("testdata/*.yaml"), *FOLDER.glob("actions/testdata/*.yaml")}
    actions = {path.parent.name for path in FOLDER.glob("actions/*/action.lua")}
    assert actions == {case["action"] for case in ACTIONS["actionTests"]}
