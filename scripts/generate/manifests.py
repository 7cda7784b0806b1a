"""Manifests: manifests/install from the chart's defaults, and manifests/gallery, the account of the gallery.

The kustomization, its namespace and redis.env are written by hand.
"""

from __future__ import annotations

import re

import yaml

from devcluster.programs.helm import helm
from scripts.paths import CHART, CHECKOUT

FOLDER = "manifests/install"
VALUES = CHECKOUT / CHART / "ci" / "manifests-values.yaml"
RELEASE = "reconstruction"
NAMESPACE = "reconstruction-system"
TEMPLATES = {  # of the chart -> file in manifests/install
    "operator/account.yaml": "operator-account.yaml",
    "operator/permissions.yaml": "operator-permissions.yaml",
    "operator/deployment.yaml": "operator.yaml",
    "operator/disruption.yaml": "operator-disruption.yaml",
    "network/policies.yaml": "operator-network.yaml",
    "roles/users.yaml": "user-roles.yaml",
}
GALLERY_FOLDER = "manifests/gallery"
GALLERY_TEMPLATES = {"gallery/account.yaml": "account.yaml", "gallery/permissions.yaml": "permissions.yaml"}
SETTINGS = "settings.yaml"  # a ConfigMap in the chart, settings.env here
_HEADER = "# Made from charts/reconstruction-operator by `make manifests`: change it there.\n"
_SETTINGS_HEADER = (
    "# Settings of the operator and the workers; docs/settings.md lists all names and defaults.\n"
    "# These come from the chart (`make manifests`); add yours in a kustomization of your own.\n"
)
# Labels of objects that Helm manages, which it does not here.
_HELMS = re.compile(r"^ *(helm\.sh/chart|app\.kubernetes\.io/managed-by): .*\n", re.MULTILINE)
# kustomize names ConfigMaps by their content, so a change restarts the pods without a checksum.
_CHECKSUM = re.compile(r"^ *annotations:\n *checksum/settings: .*\n", re.MULTILINE)


def rendered(*options: str) -> str:
    """Return the chart's manifests of the operator alone, with `options` of helm."""
    return helm("template", RELEASE, CHECKOUT / CHART, "--namespace", NAMESPACE, "--values", VALUES, *options).stdout


def by_template(text: str) -> dict[str, str]:
    """Return the documents of each template, without Helm's comments and labels."""
    templates: dict[str, str] = {}
    for document in re.split(r"^---\n", text, flags=re.MULTILINE):
        source = re.match(r"# Source: [^/]+/templates/(\S+)\n", document)
        if source is None:
            continue
        content = _CHECKSUM.sub("", _HELMS.sub("", document[source.end() :])).strip("\n") + "\n"
        templates[source[1]] = f"{templates[source[1]]}---\n{content}" if source[1] in templates else content
    return templates


def files() -> dict[str, str]:
    """Return the files: path in the checkout -> content.

    Raises:
        ValueError: the chart's manifests and the files here differ.

    """
    made = by_template(rendered())
    settings = yaml.safe_load(made.pop(SETTINGS))["data"]
    if made.keys() != TEMPLATES.keys():
        raise ValueError(f"{FOLDER} has a place for {sorted(TEMPLATES)}; the chart makes {sorted(made)}")
    contents = {f"{FOLDER}/{TEMPLATES[name]}": _HEADER + content for name, content in made.items()}
    lines = "".join(f"{name}={value}\n" for name, value in settings.items())
    gallery = by_template(rendered("--set", "gallery.enabled=true"))
    contents |= {f"{GALLERY_FOLDER}/{file}": _HEADER + gallery[name] for name, file in GALLERY_TEMPLATES.items()}
    return contents | {f"{FOLDER}/settings.env": _SETTINGS_HEADER + lines}
