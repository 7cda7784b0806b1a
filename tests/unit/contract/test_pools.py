"""Pools and the namespaces that may use them."""

from __future__ import annotations

import pytest
from reconstruction_operator.api.spec import PRIORITIES
from reconstruction_operator.contract import pools

ENTRIES = (("gpu", "maps"), ("gpu", "scans"), ("night", "*"), ("*", "maps"))


@pytest.mark.parametrize(
    ("pool", "namespace", "allowed"),
    [
        pytest.param("gpu", "maps", True, id="named"),
        pytest.param("gpu", "other", False, id="not-named"),
        pytest.param("night", "other", True, id="open-to-all"),
        pytest.param("cpu", "maps", True, id="as-all-other-pools"),
        pytest.param("cpu", "other", False, id="closed-as-all-other-pools"),
        pytest.param("gpu", "", False, id="without-a-namespace"),
    ],
)
def test_a_pool_is_open_to_the_namespaces_of_its_entries(pool: str, namespace: str, allowed: bool) -> None:
    assert (pools.refusal(ENTRIES, pool, namespace) == "") is allowed


def test_a_pool_without_any_entry_is_open_to_all() -> None:
    assert pools.refusal((("gpu", "maps"),), "cpu", "other") == ""


def test_a_refusal_does_not_name_other_namespaces() -> None:
    text = pools.refusal(ENTRIES, "gpu", "other")

    assert text == "Namespace other may not use queue gpu, which is for other namespaces (POOL_NAMESPACES)."


@pytest.mark.parametrize("priority", PRIORITIES)
def test_the_pool_of_a_queue_has_none_of_its_priority(priority: str) -> None:
    assert pools.pool_of(pools.queue_name("gpu-low-cost", priority)) == "gpu-low-cost"
