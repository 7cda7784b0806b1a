"""Creation policy: its text. On a real API server: tests/real/api/test_two_step_cancel.py."""

from __future__ import annotations

import yaml
from reconstruction_operator.api import admission_policies, creation_policy

from tests.support.paths import CHECKOUT


def test_the_rendered_yaml_is_the_policy_and_its_binding() -> None:
    found = list(yaml.safe_load_all(creation_policy.render()))
    assert found == [creation_policy.policy(), admission_policies.binding(creation_policy.NAME)]
    assert (CHECKOUT / "manifests" / "crd" / "creation-policy.yaml").read_text() == creation_policy.render()


def test_the_message_names_the_way_for_a_restore() -> None:
    (rule,) = creation_policy.policy()["spec"]["validations"]
    assert 'the annotation reconstruction.dev/restored: "true"' in rule["message"]
    assert all(label in rule["expression"] for label in creation_policy.RESTORED_LABELS)
