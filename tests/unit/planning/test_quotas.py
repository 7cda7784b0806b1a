"""Quotas of namespaces, and what they refuse."""

from __future__ import annotations

import pytest
from reconstruction_operator.api.spec import Location, Spec
from reconstruction_operator.planning.quotas import Quotas, Rules, limit_of

ENTRIES = (("*", 10), ("maps", 40), ("none", 0))


@pytest.mark.parametrize(("namespace", "limit"), [("maps", 40), ("none", 0), ("other", 10)])
def test_a_namespaces_own_entry_wins(namespace: str, limit: int) -> None:
    assert limit_of(ENTRIES, namespace) == limit


def test_a_namespace_without_an_entry_has_no_limit() -> None:
    assert limit_of((("maps", 1),), "other") is None


@pytest.mark.parametrize(
    ("priority", "high", "code"),
    [
        pytest.param("high", (("maps", 0),), "PRIORITY_REFUSED", id="forbidden"),
        pytest.param("high", (("maps", 1),), None, id="limited"),
        pytest.param("normal", (("maps", 0),), None, id="another-priority"),
    ],
)
def test_priority_high_is_refused_where_it_is_forbidden(
    priority: str, high: tuple[tuple[str, int], ...], code: str | None
) -> None:
    spec = Spec(input=Location("file:///photos/banana"), priority=priority)
    refusal = Rules(Quotas(high=high)).refusal(spec, "maps")

    assert (refusal.code if refusal else None) == code


def test_the_queue_of_a_stage_is_refused_as_the_jobs_own_queue() -> None:
    spec = Spec(input=Location("file:///photos/banana"), stage_queues={"depth": "gpu"})
    rules = Rules(pools=(("gpu", "maps"),))

    assert rules.refusal(spec, "maps") is None
    refusal = rules.refusal(spec, "other")
    assert refusal is not None
    assert refusal.code == "QUEUE_REFUSED"
