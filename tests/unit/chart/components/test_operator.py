"""Operator: the default objects, then one value in each test."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.chart import (
    Ask,
    Refuse,
    Render,
    env_of,
)


@pytest.mark.parametrize(
    ("values", "pools"),
    [
        pytest.param({"workers": {"maps": {"queues": ["maps", "celery"]}}}, "celery,maps", id="all-pools"),
        pytest.param({"workers": {"cpu": {"enabled": False}}}, None, id="no-pool"),
        pytest.param({"settings": {"METRICS_POOLS": "maps"}}, None, id="as-in-the-settings"),
    ],
)
def test_the_operator_knows_the_queues_of_the_pools(render: Render, values: dict[str, Any], pools: str | None) -> None:
    """Without them, a pool that is scaled to zero would have no metric."""
    assert env_of(render(values), "operator").get("METRICS_POOLS") == pools


def test_the_operators_requests_have_a_priority_level_of_the_api_server(render: Render) -> None:
    spec = render()["FlowSchema", "reconstruction-operator"]["spec"]

    assert spec["priorityLevelConfiguration"] == {"name": "workload-high"}
    assert spec["rules"][0]["subjects"] == [
        {
            "kind": "ServiceAccount",
            "serviceAccount": {"name": "reconstruction-operator", "namespace": "recon"},
        }
    ]
    assert ("FlowSchema", "reconstruction-operator") not in render({"operator": {"flowSchema": False}})


def test_an_operator_of_several_namespaces_is_bound_in_each(ask: Ask, render: Render) -> None:
    answer = ask("template", "reconstruction", "--set", "operator.watchNamespaces={maps,museum}")

    metadata = [one["metadata"] for one in json.loads(answer.stdout)]
    bound = [one["namespace"] for one in metadata if one["name"] == "reconstruction-operator-jobs"]
    assert bound == ["maps", "museum"]


@pytest.mark.parametrize("user", ["a'b", 'a"b', "a\\b", ""])
def test_an_exempt_user_that_would_end_the_expression_is_rejected(refuse: Refuse, user: str) -> None:
    assert "exemptUsers" in refuse({"deletionProtection": {"enabled": True, "exemptUsers": [user]}})
