"""Throttling: API Priority and Fairness lets the operator's account have few requests at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from devcluster import Cluster
from devcluster.harness.system import OPERATOR_ACCOUNT, OPERATOR_NAMESPACE

_FLOW = "/apis/flowcontrol.apiserver.k8s.io/v1"
_NAME = "throttled-by-a-test"
EVERYTHING = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], "clusterScope": True}
STATUS_WRITES = EVERYTHING | {"verbs": ["patch"], "resources": ["reconstructionjobs/status"]}


@contextlib.contextmanager
def throttled(cluster: Cluster, rule: dict[str, Any], *, shares: int) -> Iterator[None]:
    """Reject requests of `rule` beyond a few at a time; none waits.

    One share of the API server is three requests, 0 is none.
    """
    level = {
        "type": "Limited",
        "limited": {
            "nominalConcurrencyShares": shares,
            "lendablePercent": 0,
            "borrowingLimitPercent": 0,
            "limitResponse": {"type": "Reject"},
        },
    }
    account = {"name": OPERATOR_ACCOUNT, "namespace": OPERATOR_NAMESPACE}
    schema = {
        "priorityLevelConfiguration": {"name": _NAME},
        "matchingPrecedence": 50,
        "rules": [{"subjects": [{"kind": "ServiceAccount", "serviceAccount": account}], "resourceRules": [rule]}],
    }
    cluster.api.post(f"{_FLOW}/prioritylevelconfigurations", {"metadata": {"name": _NAME}, "spec": level})
    cluster.api.post(f"{_FLOW}/flowschemas", {"metadata": {"name": _NAME}, "spec": schema})
    try:
        yield
    finally:
        cluster.api.delete(f"{_FLOW}/flowschemas/{_NAME}")
        cluster.api.delete(f"{_FLOW}/prioritylevelconfigurations/{_NAME}")
