"""Files that other programs want in one piece are as the files that people edit."""

import runpy

import pytest
import yaml

from tests.support.paths import CHECKOUT

WRITER = runpy.run_path(str(CHECKOUT / "scripts" / "write_integrations.py"))


@pytest.mark.parametrize("name", sorted(WRITER["pages"]()))
def test_a_made_file_is_current(name: str) -> None:
    assert WRITER["pages"]()[name] == (CHECKOUT / name).read_text(), "run `make docs`"


def test_the_prometheus_rule_holds_the_alerts() -> None:
    rule = yaml.safe_load(WRITER["prometheus_rule"]())
    assert rule["spec"] == yaml.safe_load((CHECKOUT / WRITER["ALERTS"]).read_text())


def test_argocd_gets_the_health_and_every_action() -> None:
    data = yaml.safe_load(WRITER["argocd_settings"]())["data"]
    folder = CHECKOUT / WRITER["CUSTOMIZATION"]
    key = "reconstruction.dev_ReconstructionJob"
    actions = yaml.safe_load(data[f"resource.customizations.actions.{key}"])

    assert data[f"resource.customizations.health.{key}"] == (folder / "health.lua").read_text()
    assert actions["discovery.lua"] == (folder / "actions" / "discovery.lua").read_text()
    assert {one["name"]: one["action.lua"] for one in actions["definitions"]} == {
        path.parent.name: path.read_text() for path in (folder / "actions").glob("*/action.lua")
    }
