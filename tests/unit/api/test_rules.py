"""CEL rules: they follow from the fields, and each has a message that a user can act on.

The API server runs them in tests/real.
"""

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
            rule="has(self.firePlace) ? has(oldSelf.firePlace) && self.firePlace == oldSelf.firePlace : "
            "!has(oldSelf.firePlace)",
            message="firePlace cannot be changed, added or removed later: create a new job under another name",
            field_path=".firePlace",
            reason="FieldValueForbidden",
        ),
    )


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.message[:40])
def test_a_refusal_names_an_existing_field_and_does_not_print_its_value(rule: Rule) -> None:
    names = {camel(field.name) for kind in (Spec, Status) for field in dataclasses.fields(kind)}

    assert rule.field_path.removeprefix(".spec").removeprefix(".") in names
    assert rule.reason == "FieldValueForbidden"
    assert rule.message[0].islower()
