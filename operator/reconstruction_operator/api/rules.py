"""CEL rules: the API server enforces them, and shows their messages to users.

Rules of a single field are declared with the field (`spec`). This module has the rules that relate fields, or old and
new values.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

from reconstruction_operator.api.codec import camel
from reconstruction_operator.api.shapes import Rule, shape_of
from reconstruction_operator.api.spec import Spec
from reconstruction_operator.api.status import Phase

_forbidden = functools.partial(Rule, reason="FieldValueForbidden")  # its error does not print the value

# Together: a confirmation needs a stored request, is final, and keeps that request. Each mistake breaks only one rule,
# so that the user gets one message.
CANCEL_RULES: tuple[Rule, ...] = (
    _forbidden(
        # manifests/crd/creation-policy.yaml decides whether a new job may be cancelled at all.
        rule="oldSelf.hasValue() || !self.cancelConfirmed || self.cancelRequested",
        message="a confirmed cancel has cancelRequested: true as well",
        field_path=".cancelRequested",
        optional_old_self=True,
    ),
    _forbidden(
        rule="!self.cancelConfirmed || self.cancelRequested || oldSelf.cancelConfirmed",
        message=(
            "a cancel takes two steps: set cancelRequested: true first and apply that, then set cancelConfirmed: true"
        ),
        field_path=".cancelConfirmed",
    ),
    _forbidden(
        rule="!self.cancelConfirmed || !self.cancelRequested || oldSelf.cancelConfirmed || oldSelf.cancelRequested",
        message=(
            "a cancel takes two steps: this change makes both at once. Apply cancelRequested: true alone first, "
            "then set cancelConfirmed: true"
        ),
        field_path=".cancelConfirmed",
    ),
    _forbidden(
        rule="!oldSelf.cancelConfirmed || (self.cancelConfirmed && self.cancelRequested)",
        message="the cancel is confirmed, which is final: create a new job to run this again",
        field_path=".cancelConfirmed",
    ),
)

# For a job without a reason, each rule reads only one field.
CANCEL_REASON_RULES: tuple[Rule, ...] = (
    _forbidden(
        # Also at creation. A change that breaks a rule above as well gets only the message of that rule.
        rule=(
            "!has(self.cancelReason) || self.cancelRequested || self.cancelConfirmed "
            "|| oldSelf.?cancelConfirmed.orValue(false)"
        ),
        message=(
            "cancelReason goes with cancelRequested: true alone; to withdraw the request, remove the reason as well "
            "(cancelReason: null)"
        ),
        field_path=".cancelReason",
        optional_old_self=True,
    ),
    _forbidden(
        rule=(
            "!oldSelf.cancelConfirmed || !self.cancelConfirmed "
            "|| (has(self.cancelReason) ? has(oldSelf.cancelReason) && self.cancelReason == oldSelf.cancelReason "
            ": !has(oldSelf.cancelReason))"
        ),
        message="the cancel is confirmed, and its reason is fixed since then",
        field_path=".cancelReason",
    ),
)


def immutability_rules(kind: type[Any]) -> tuple[Rule, ...]:
    """Return the rules that forbid changing, adding or removing an immutable field of `kind`.

    They belong to the parent: a field's own transition rule does not run when the field is added or removed.
    """
    fixed = [(camel(field.name), shape_of(field)) for field in dataclasses.fields(kind) if shape_of(field).immutable]
    return tuple(
        _forbidden(
            rule=_unchanged(name, always_there=shape.required or shape.stored_default),
            message=f"{name} cannot be changed, added or removed later: create a new job under another name",
            field_path=f".{name}",
        )
        for name, shape in fixed
    )


def _unchanged(name: str, *, always_there: bool) -> str:
    """Return a rule that reads few fields: at each write, even of a status, a read costs the API server more than the
    comparison.
    """
    same = f"self.{name} == oldSelf.{name}"
    return same if always_there else f"has(self.{name}) ? has(oldSelf.{name}) && {same} : !has(oldSelf.{name})"


SPEC_RULES: tuple[Rule, ...] = (*CANCEL_RULES, *CANCEL_REASON_RULES, *immutability_rules(Spec))

_FINISHED = ", ".join(f"'{phase.value}'" for phase in Phase if phase.finished)

STATUS_RULES: tuple[Rule, ...] = (
    _forbidden(
        rule=(
            f"!has(oldSelf.phase) || !(oldSelf.phase in [{_FINISHED}]) "
            "|| (has(self.phase) && self.phase == oldSelf.phase)"
        ),
        message="the job is finished, and its phase never changes again",
        field_path=".phase",
    ),
    _forbidden(
        rule="self.?attempt.orValue(-1) >= oldSelf.?attempt.orValue(-1)",
        message="the number of the attempt never falls",
        field_path=".attempt",
    ),
)


def _fixed_once_dispatched(name: str) -> Rule:
    return _forbidden(
        rule=(
            f"self.spec.{name} == oldSelf.spec.{name} || !has(oldSelf.status) || (!has(oldSelf.status.dispatchTime) "
            "&& (!has(oldSelf.status.attempt) || oldSelf.status.attempt == 0))"
        ),
        message=(f"the job has been dispatched, and its {name} is fixed since then: cancel it, and create a new job"),
        field_path=f".spec.{name}",
    )


ROOT_RULES: tuple[Rule, ...] = (_fixed_once_dispatched("queue"), _fixed_once_dispatched("priority"))
