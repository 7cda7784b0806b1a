"""Admission policies: the common parts of the ValidatingAdmissionPolicies beside the CRD."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import yaml

from reconstruction_operator.api.identity import GROUP, PLURAL

_VERSION: Final = "admissionregistration.k8s.io/v1"


def policy(name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the manifest of a policy that checks each new job."""
    created = {"apiGroups": [GROUP], "apiVersions": ["*"], "resources": [PLURAL], "operations": ["CREATE"]}
    return {
        "apiVersion": _VERSION,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": _metadata(name),
        "spec": {"failurePolicy": "Fail", "matchConstraints": {"resourceRules": [created]}, **spec},
    }


def binding(name: str) -> dict[str, Any]:
    """Return the manifest that applies the policy in all namespaces."""
    return {
        "apiVersion": _VERSION,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": _metadata(name),
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    }


def render(header: str, made: Mapping[str, Any]) -> str:
    """Return the header, the policy and its binding as YAML."""
    both = (made, binding(made["metadata"]["name"]))
    return header + "---\n".join(yaml.safe_dump(one, sort_keys=False, width=120, allow_unicode=True) for one in both)


def _metadata(name: str) -> dict[str, Any]:
    return {"name": name, "labels": {"app.kubernetes.io/name": "reconstruction-operator"}}
