"""Admission policies: the common parts."""

import yaml
from reconstruction_operator.api import admission_policies


def test_a_policy_is_written_with_a_binding_that_denies() -> None:
    made = admission_policies.policy("jobs-small", {"validations": [{"expression": "false"}]})
    text = admission_policies.render("# Made by a command.\n", made)

    assert text.startswith("# Made by a command.\n")
    written, bound = yaml.safe_load_all(text)
    assert (written, written["metadata"]["name"]) == (made, "jobs-small")
    assert bound["spec"] == {"policyName": "jobs-small", "validationActions": ["Deny"]}
