"""Renders: what the chart makes of its defaults, and what each shape in `ci/` changes of that, in tests/data/renders.

`make lint` compares them with the chart, so the diff of a commit shows all that a changed template changes.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, Final

import yaml

from devcluster.programs.helm import helm
from scripts.generate import manifests
from scripts.paths import CHART, CHECKOUT

FOLDER: Final = "tests/data/renders"
_OPTIONS: Final = (
    # Generated files, which are in the chart themselves.
    *("--set", "crds.enabled=false,metrics.dashboards.enabled=false,metrics.prometheusRule.enabled=false"),
    # Names and labels of all objects: tests/unit/chart/test_names.py.
    *("--set", r"nameOverride=,commonLabels.example\.com/team=null,commonAnnotations.example\.com/contact=null"),
    *(
        "--api-versions",
        "monitoring.coreos.com/v1/ServiceMonitor",
        "--api-versions",
        "monitoring.coreos.com/v1/PodMonitor",
    ),
    *("--api-versions", "keda.sh/v1alpha1/ScaledObject"),
)
_USUAL: Final = (
    "app.kubernetes.io/instance",
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/version",
    "helm.sh/chart",
    "checksum/settings",
)


def rendered(values: Path | None = None) -> dict[str, str]:
    """Return the objects of the chart as YAML by kind and name, without what each object has, or what is random."""
    options = ("--values", values) if values else ()
    text = helm("template", "reconstruction", CHECKOUT / CHART, "--namespace", "recon", *_OPTIONS, *options).stdout
    objects = filter(None, yaml.load_all(text, yaml.CSafeLoader))
    return {f"{body['kind']} {body['metadata']['name']}": _text(body) for body in sorted(objects, key=_order)}


def files() -> dict[str, str]:
    """Return the files: path in the checkout -> content."""
    default = rendered()
    made = {f"{FOLDER}/default.yaml": "---\n".join(default.values())}
    for values in sorted((CHECKOUT / CHART / "ci").glob("*-values.yaml")):
        if values == manifests.VALUES:  # rendered whole, as manifests/install
            continue
        shape = rendered(values)
        changes = [f"- {name}\n" for name in default if name not in shape]
        for name, text in shape.items():
            if name not in default:
                changes.append(f"+ {name}\n{text}")
            elif text != default[name]:
                lines = difflib.unified_diff(default[name].splitlines(), text.splitlines(), n=1, lineterm="")
                changes.append("\n".join([f"~ {name}", *(line for line in list(lines)[2:] if line[0] != "@"), ""]))
        made[f"{FOLDER}/{values.name.removesuffix('-values.yaml')}.diff"] = "".join(changes)
    return made


def _order(body: dict[str, Any]) -> tuple[str, str]:
    return body["kind"], body["metadata"]["name"]


def _text(body: dict[str, Any]) -> str:
    metadata = body["metadata"]
    for key in ("labels", "annotations"):
        metadata[key] = _kept(metadata.get(key))
    pods = body.get("spec", {}).get("template", {}).get("metadata", {})
    pods["annotations"] = _kept(pods.get("annotations"))
    if body["kind"] == "Secret":
        body["data"] = sorted(body["data"])  # its password is random
    return str(yaml.dump(body, sort_keys=False, width=140))


def _kept(texts: dict[str, Any] | None) -> dict[str, Any]:
    return {key: value for key, value in (texts or {}).items() if value and key not in _USUAL}
