"""Writes manifests/install from the chart: `make manifests`, from the checkout's root. A test says when they are old.

The kustomization, its namespace and the addresses of Redis are written by hand.
"""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from devcluster.programs.helm import helm

CHECKOUT = Path(__file__).resolve().parent.parent
CHART = CHECKOUT / "charts" / "reconstruction-operator"
VALUES = CHART / "ci" / "manifests-values.yaml"
RELEASE = "reconstruction"
NAMESPACE = "reconstruction-system"
TEMPLATES = {  # of the chart -> file in manifests/install
    "operator/account.yaml": "operator-account.yaml",
    "operator/permissions.yaml": "operator-permissions.yaml",
    "operator/deployment.yaml": "operator.yaml",
    "operator/disruption.yaml": "operator-disruption.yaml",
    "people/roles.yaml": "user-roles.yaml",
}
SETTINGS = "settings.yaml"  # a ConfigMap in the chart, settings.env here
_HEADER = "# Made from charts/reconstruction-operator by `make manifests`: change it there.\n"
_SETTINGS_HEADER = (
    "# Settings of the operator and the workers: every name and default is in docs/settings.md.\n"
    "# The first ones are the chart's (`make manifests`); add yours to a kustomization of your own.\n"
)
# What says that Helm looks after an object, which here it does not.
_HELMS = re.compile(r"^ *(helm\.sh/chart|app\.kubernetes\.io/managed-by): .*\n", re.MULTILINE)
# kustomize names ConfigMaps by their content, which changes the pods as well as a checksum does.
_CHECKSUM = re.compile(r"^ *annotations:\n *checksum/settings: .*\n", re.MULTILINE)


def rendered() -> str:
    """What the chart makes of the operator alone."""
    return helm("template", RELEASE, CHART, "--namespace", NAMESPACE, "--values", VALUES).stdout


def by_template(text: str) -> dict[str, str]:
    """The documents that each template made, without Helm's own comments and labels."""
    found: dict[str, str] = {}
    for document in re.split(r"^---\n", text, flags=re.MULTILINE):
        source = re.match(r"# Source: [^/]+/templates/(\S+)\n", document)
        if source is None:
            continue
        content = _CHECKSUM.sub("", _HELMS.sub("", document[source.end() :])).strip("\n") + "\n"
        found[source[1]] = f"{found[source[1]]}---\n{content}" if source[1] in found else content
    return found


def files() -> dict[str, str]:
    """Path in the checkout -> content.

    Raises:
        ValueError: the chart makes something that has no place here.

    """
    made = by_template(rendered())
    settings = yaml.safe_load(made.pop(SETTINGS))["data"]
    if made.keys() != TEMPLATES.keys():
        raise ValueError(f"manifests/install has a place for {sorted(TEMPLATES)}; the chart makes {sorted(made)}")
    contents = {f"manifests/install/{TEMPLATES[name]}": _HEADER + content for name, content in made.items()}
    lines = "".join(f"{name}={value}\n" for name, value in settings.items())
    return contents | {"manifests/install/settings.env": _SETTINGS_HEADER + lines}


if __name__ == "__main__":
    for name, content in files().items():
        (CHECKOUT / name).write_text(content)
        print(f"manifests: wrote {name}")
