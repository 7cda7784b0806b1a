"""CEL rules: they follow from the fields, and each has a message that a user can act on. The API server runs them in tests/real."""

from __future__ import annotations

import dataclasses

import pytest
from reconstruction_operator.api import rules
from reconstruction_operator.api.codec import camel
from reconstruction_operator.api.shapes import Rule, member
from reconstruction_operator.api.spec import Spec
from reconstruction_operator.api.status import Status

ALL = (*rules.SPEC_RULES, *rules.STATUS_RULES, *rules.ROOT_RULES)


@dataclasses.dataclass
class Kiln:
    """A kind with one field that never changes."""

    fire_place: str = member("", "Where it burns.", immutable=True)
    heat: int = member(0, "How hot it is.")


def test_each_immutable_field_has_a_rule_of_its_parent() -> None:
    assert rules.immutability_rules(Kiln) == (
        Rule(
            rule="has(self.firePlace) ? has(oldSelf.firePlace) && self.firePlace == oldSelf.firePlace : !has(oldSelf.firePlace)",
            message="firePlace cannot be changed, added or removed later: create a new job under another name",
            field_path=".firePlace",
            reason="FieldValueForbidden",
        ),
    )


def test_the_immutable_fields_of_a_job_are_the_promised_ones() -> None:
    fixed = {rule.field_path for rule in rules.immutability_rules(Spec)}

    assert fixed == {".modelType", ".input", ".output", ".parameters", ".managedBy"}


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.message[:40])
def test_a_refusal_names_an_existing_field_and_does_not_print_its_value(rule: Rule) -> None:
    names = {camel(one.name) for kind in (Spec, Status) for one in dataclasses.fields(kind)}

    assert rule.field_path.removeprefix(".spec").removeprefix(".") in names
    assert rule.reason == "FieldValueForbidden"
    assert rule.message[0].islower()


def test_two_rules_run_at_creation() -> None:
    paths = [rule.field_path for rule in ALL if rule.optional_old_self]

    assert paths == [".cancelRequested", ".cancelReason"]


def test_the_rule_of_a_finished_job_names_every_final_phase() -> None:
    assert "['Succeeded', 'Failed', 'Cancelled']" in rules.STATUS_RULES[0].rule
