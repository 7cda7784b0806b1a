"""Creation policy: a ValidatingAdmissionPolicy that rejects a new job that is cancelled already, unless a backup is restored.

A wrong manifest must not end a job before it starts. But a restore creates the cancelled jobs of a backup as they were. Labels and
annotations show a restore; rules of the CRD cannot read them. `make crd` writes the policy to `manifests/crd/creation-policy.yaml`.
"""

from __future__ import annotations

from typing import Any, Final

from reconstruction_operator.api import admission_policies
from reconstruction_operator.api.identity import GROUP, PLURAL

NAME: Final = f"{PLURAL}-creation"
RESTORED_ANNOTATION: Final = f"{GROUP}/restored"
RESTORED_LABELS: Final = ("velero.io/restore-name",)
"""Labels that backup tools give to what they restore."""

_HEADER = """\
# Made from operator/reconstruction_operator/api by `make crd`: change it there.
# Belongs to the CRD beside it: the API server rejects a new job that is cancelled already, unless it is restored from a backup.
"""

_CANCELLED = "object.spec.?cancelRequested.orValue(false) || object.spec.?cancelConfirmed.orValue(false)"
_RESTORED = " || ".join(
    (
        f"object.metadata.?annotations[?'{RESTORED_ANNOTATION}'].orValue('') == 'true'",
        *(f"object.metadata.?labels[?'{label}'].hasValue()" for label in RESTORED_LABELS),
    )
)


def policy() -> dict[str, Any]:
    """Return the manifest of the policy."""
    return admission_policies.policy(
        NAME,
        {
            "matchConditions": [{"name": "is-cancelled", "expression": _CANCELLED}],
            "validations": [
                {
                    "expression": _RESTORED,
                    "message": (
                        "a new job cannot be cancelled already: create it with cancelRequested and cancelConfirmed "
                        "false or left out (set suspend: true to keep it from starting). To restore a cancelled job "
                        f'from a backup, give it the annotation {RESTORED_ANNOTATION}: "true"'
                    ),
                    "reason": "Forbidden",
                }
            ],
        },
    )


def render() -> str:
    """Return policy and binding as YAML."""
    return admission_policies.render(_HEADER, policy())
