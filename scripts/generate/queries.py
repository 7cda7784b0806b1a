"""PromQL of the Grafana dashboard: metrics in the selected namespaces, and expressions of them."""

from __future__ import annotations

from typing import Final

_NS: Final = 'namespace=~"$namespace"'
_OF_LEADER: Final = "and on (job, namespace, instance) (reconstruction_leader == 1)"


def of_leader(name: str, labels: str = "") -> str:
    """Return a metric of the leading replica."""
    return f"({metric(name, labels)} {_OF_LEADER})"


def metric(name: str, labels: str = "") -> str:
    """Return one of our metrics in the selected namespaces; `name` has no prefix."""
    return f"reconstruction_{name}{{{_NS}{labels and ', '}{labels}}}"


def rate(name: str, labels: str = "") -> str:
    """Return the increase of a counter per second."""
    return f"rate({metric(name, labels)}[$__rate_interval])"


def quantile(share: float, name: str, by: str = "", labels: str = "") -> str:
    """Return a quantile of a histogram over the panel's interval."""
    groups = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({groups}) ({rate(f'{name}_bucket', labels)}))"
