"""Single files for other programs contain the hand-written files."""

import yaml

from scripts.generate import integrations
from tests.support.paths import CHECKOUT


def test_the_prometheus_rule_holds_the_alerts() -> None:
    rule = yaml.safe_load(integrations.prometheus_rule())
    assert rule["spec"] == yaml.safe_load((CHECKOUT / integrations.ALERTS).read_text())


def test_argocd_gets_the_health_and_every_action() -> None:
    data = yaml.safe_load(integrations.argocd_settings())["data"]
    folder = CHECKOUT / integrations.CUSTOMIZATION
    key = "reconstruction.dev_ReconstructionJob"
    actions = yaml.safe_load(data[f"resource.customizations.actions.{key}"])

    assert data[f"resource.customizations.health.{key}"] == (folder / "health.lua").read_text()
    assert actions["discovery.lua"] == (folder / "actions" / "discovery.lua").read_text()
    assert {one["name"]: one["action.lua"] for one in actions["definitions"]} == {
        path.parent.name: path.read_text() for path in (folder / "actions").glob("*/action.lua")
    }
