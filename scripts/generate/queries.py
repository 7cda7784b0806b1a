"""PromQL of the Grafana dashboard: our metrics in the chosen namespaces, and what the panels compute of them."""

from __future__ import annotations

from typing import Final

_NS: Final = 'namespace=~"$namespace"'
_OF_LEADER: Final = "and on (job, namespace, instance) (reconstruction_leader == 1)"


def of_leader(name: str, labels: str = "") -> str:
    """Return a metric that only the leading replica measures."""
    return f"({metric(name, labels)} {_OF_LEADER})"


def metric(name: str, labels: str = "") -> str:
    """Return a metric of ours, in the chosen namespaces; `name` without its prefix."""
    return f"reconstruction_{name}{{{_NS}{labels and ', '}{labels}}}"


def rate(name: str, labels: str = "") -> str:
    """Return how fast a counter grows, per second."""
    return f"rate({metric(name, labels)}[$__rate_interval])"


def quantile(share: float, name: str, by: str = "", labels: str = "") -> str:
    """That quantile of a histogram, over the panel's interval."""
    groups = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({groups}) ({rate(f'{name}_bucket', labels)}))"
