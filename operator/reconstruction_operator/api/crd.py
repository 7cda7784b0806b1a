"""CustomResourceDefinition: made from the types of this package. `make crd` writes it to `manifests/crd`."""

from __future__ import annotations

from typing import Any

import yaml

from reconstruction_operator.api.identity import GROUP, KIND, PLURAL, VERSION
from reconstruction_operator.api.rules import ROOT_RULES, SPEC_RULES, STATUS_RULES
from reconstruction_operator.api.schema import Schema, object_schema, validations
from reconstruction_operator.api.spec import Spec
from reconstruction_operator.api.status import Status

SHORT_NAMES: tuple[str, ...] = ("recon", "rjob")
CATEGORY = "reconstruction"  # `kubectl get reconstruction`

_HEADER = """\
# Made from operator/reconstruction_operator/api by `make crd`: change it there.
# Needs Kubernetes 1.31 or newer.
"""


def _column(name: str, path: str, text: str, *, kind: str = "string", wide: bool = False) -> dict[str, Any]:
    column: dict[str, Any] = {"name": name, "type": kind, "jsonPath": path, "description": text}
    return column | ({"priority": 1} if wide else {})


# No dates but the age: dashboards show an absent date as an error.
PRINTER_COLUMNS: tuple[dict[str, Any], ...] = (
    # The API server shows the first value that exists: for a job without a detail, the phase alone.
    _column("Phase", ".status['phaseDetail','phase']", "State of the job."),
    _column("Done", ".status.progress.display", "Percentage that is done."),
    _column("Time", ".status.timeDetail", "Estimated time left, or the time that the job took."),
    _column("Reason", ".status.reason", "Why the job failed or waits, in a word or two."),
    _column("Age", ".metadata.creationTimestamp", "Time since the job was created.", kind="date"),
    _column("Step", ".status.progress.step", "The current step.", wide=True),
    _column("Images", ".status.inputs.images", "Number of photos that were read.", kind="integer", wide=True),
    _column("Size", ".status.size", "Size of the mesh, where its scale is known.", wide=True),
    _column("Attempt", ".status.attempt", "Number of the attempt.", kind="integer", wide=True),
    _column("Worker", ".status.worker", "Worker that runs the job.", wide=True),
    _column("Cancel Reason", ".spec.cancelReason", "Why the job is to be cancelled.", wide=True),
    _column("Message", ".status.message", "State of the job in a sentence.", wide=True),
)
"""Columns of `kubectl get recon`. With short names the first ones fit 80 characters; the others are for `-o wide`."""

SELECTABLE_FIELDS: tuple[str, ...] = (".spec.modelType", ".spec.queue", ".spec.priority", ".status.phase")
"""Fields for `kubectl get recon --field-selector`."""


def schema() -> Schema:
    """Return the schema of a whole ReconstructionJob."""
    return {
        "description": "One photo set that is to be reconstructed as a 3D mesh.",
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": f"Always {GROUP}/{VERSION}."},
            "kind": {"type": "string", "description": f"Always {KIND}."},
            "metadata": {"type": "object"},
            "spec": {"description": "The job as the user wants it."} | object_schema(Spec, SPEC_RULES),
            # The API server stores the default at creation, so kstatus and Helm report "in progress" before the
            # operator sees the job. Atomic: the status has one writer, and naming each of its fields in `managedFields`
            # would cost more than the status itself.
            "status": {
                "description": "The state of the job as the operator reports it.",
                "default": {"observedGeneration": Status().observed_generation},
                "x-kubernetes-map-type": "atomic",
            }
            | object_schema(Status, STATUS_RULES),
        },
    } | validations(ROOT_RULES)


def crd() -> dict[str, Any]:
    """Return the CustomResourceDefinition for the API server."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}", "labels": {"app.kubernetes.io/name": "reconstruction-operator"}},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": list(SHORT_NAMES),
                "categories": [CATEGORY],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": list(PRINTER_COLUMNS),
                    "selectableFields": [{"jsonPath": path} for path in SELECTABLE_FIELDS],
                    "schema": {"openAPIV3Schema": schema()},
                }
            ],
        },
    }


def render() -> str:
    """Return the CRD as YAML, under a comment with its origin."""
    return _HEADER + yaml.safe_dump(crd(), sort_keys=False, width=120, allow_unicode=True)
