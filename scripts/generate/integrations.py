"""Integrations: single files for the Prometheus operator and Argo CD, made from hand-written files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from scripts.paths import CHART, read

ALERTS: Final = f"{CHART}/files/alerts.yaml"
ARGOCD: Final = "manifests/integrations/argocd"
CUSTOMIZATION: Final = f"{ARGOCD}/resource_customizations/reconstruction.dev/ReconstructionJob"
ACTIONS: Final = ("suspend", "resume", "request-cancel", "withdraw-cancel", "confirm-cancel")  # in Argo CD's order


def prometheus_rule() -> str:
    """Return the alerts as a PrometheusRule, for installations without the chart."""
    head = [
        f"# Made from {ALERTS} by `make docs`: change it there.",
        "apiVersion: monitoring.coreos.com/v1",
        "kind: PrometheusRule",
        "metadata:",
        "  name: reconstruction-operator",
        "  namespace: reconstruction-system",
        "spec:",
    ]
    return "\n".join([*head, *_indented(ALERTS, 2)]) + "\n"


def argocd_settings() -> str:
    """Return the health and the actions as keys of Argo CD's ConfigMap."""
    key = "reconstruction.dev_ReconstructionJob"
    lines = [
        f"# Made from {CUSTOMIZATION} by `make docs`: change it there.",
        "# Merge it into Argo CD's settings:",
        f"#   kubectl -n argocd patch configmap argocd-cm --patch-file {ARGOCD}/argocd-cm.yaml",
        "data:",
        (
            "  # Users change these fields of a running job, and the manifest does not set them: such a "
            "change is not drift."
        ),
        f"  resource.customizations.ignoreDifferences.{key}: |",
        "    jsonPointers: [/spec/suspend, /spec/cancelRequested, /spec/cancelConfirmed]",
        f"  resource.customizations.health.{key}: |",
        *_indented(f"{CUSTOMIZATION}/health.lua", 4),
        f"  resource.customizations.actions.{key}: |",
        "    discovery.lua: |",
        *_indented(f"{CUSTOMIZATION}/actions/discovery.lua", 6),
        "    definitions:",
    ]
    for action in ACTIONS:
        lines += [f"      - name: {action}", "        action.lua: |"]
        lines += _indented(f"{CUSTOMIZATION}/actions/{action}/action.lua", 10)
    return "\n".join(lines) + "\n"


def _indented(name: str, columns: int) -> Iterator[str]:
    for line in read(name).splitlines():
        yield f"{' ' * columns}{line}".rstrip()


def files() -> dict[str, str]:
    """Return the files: path in the checkout -> content."""
    return {
        "manifests/integrations/prometheus/prometheusrule.yaml": prometheus_rule(),
        f"{ARGOCD}/argocd-cm.yaml": argocd_settings(),
    }
