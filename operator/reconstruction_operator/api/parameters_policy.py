"""Parameters policy: a ValidatingAdmissionPolicy that limits `spec.parameters`, which the CRD's schema leaves free.

A structural schema cannot express "a plain value, or a list of plain values". Without a limit, anyone who may create a job
could store deeply nested or very large parameters, which every client that reads the jobs must then parse.
`make crd` writes the policy to `manifests/crd/parameters-policy.yaml`.
"""

from __future__ import annotations

from typing import Any, Final

from reconstruction_operator.api import admission_policies
from reconstruction_operator.api.identity import PLURAL

NAME: Final = f"{PLURAL}-parameters"
PARAMETERS_MAX_CHARACTERS: Final = 16 * 1024  # of all names and values: parameters travel in every message
NAME_MAX_CHARACTERS: Final = 63
TEXT_MAX_CHARACTERS: Final = 4_096
LIST_MAX_ITEMS: Final = 256
_OTHER_CHARACTERS: Final = 8  # counted for a number, a boolean or null

_HEADER = """\
# Made from operator/reconstruction_operator/api by `make crd`: change it there.
# Belongs to the CRD beside it: the API server rejects spec.parameters that no model accepts.
"""

_PLAIN = "[dyn(string), dyn(int), dyn(double), dyn(bool), dyn(null_type)]"


def _size(value: str) -> str:
    return f"(type({value}) == string ? size({value}) : {_OTHER_CHARACTERS})"


def policy() -> dict[str, Any]:
    """Return the manifest of the policy. Parameters never change, so only creation is checked."""
    value = "object.spec.parameters[name]"
    return admission_policies.policy(
        NAME,
        {
            "matchConditions": [{"name": "has-parameters", "expression": "has(object.spec.parameters)"}],
            "variables": [
                {"name": "plain", "expression": _PLAIN},
                {"name": "lists", "expression": f"object.spec.parameters.filter(name, type({value}) == list)"},
                # Only these are iterated: 100,000 items would occupy the API server until the request's timeout.
                {"name": "short", "expression": f"variables.lists.filter(name, size({value}) <= {LIST_MAX_ITEMS})"},
            ],
            "validations": [
                {
                    "expression": (
                        f"object.spec.parameters.all(name, type({value}) in variables.plain || name in variables.lists) "
                        f"&& variables.short.all(name, {value}.all(item, type(item) in variables.plain))"
                    ),
                    "message": (
                        "spec.parameters: each value must be a text, a number, true, false or null, or a list of these"
                    ),
                },
                {
                    "expression": (
                        f"object.spec.parameters.all(name, size(name) <= {NAME_MAX_CHARACTERS}) "
                        f"&& object.spec.parameters.all(name, type({value}) != string "
                        f"|| size({value}) <= {TEXT_MAX_CHARACTERS}) "
                        "&& size(variables.short) == size(variables.lists)"
                    ),
                    "message": (
                        f"spec.parameters: a name may have {NAME_MAX_CHARACTERS} characters, a text "
                        f"{TEXT_MAX_CHARACTERS}, and a list {LIST_MAX_ITEMS} items"
                    ),
                },
                {
                    "expression": (
                        f"object.spec.parameters.map(name, size(name) + (name in variables.short "
                        f"? {value}.map(item, {_size('item')}).sum() : {_size(value)}"
                        f")).sum() <= {PARAMETERS_MAX_CHARACTERS}"
                    ),
                    "message": (
                        f"spec.parameters: all names and values together may have {PARAMETERS_MAX_CHARACTERS} "
                        "characters; leave out what the model does not need"
                    ),
                },
            ],
        },
    )


def render() -> str:
    """Return policy and binding as YAML."""
    return admission_policies.render(_HEADER, policy())
