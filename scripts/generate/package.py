"""Chart.yaml: the metadata that Artifact Hub shows, from other files.

The part above the marker is written by hand. Links come from `[project.urls]` of pyproject.toml.
"""

from __future__ import annotations

import base64
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml

from scripts.generate import crd
from scripts.paths import CHART, CHECKOUT, read

TARGET: Final = f"{CHART}/Chart.yaml"
ICON: Final = "docs/images/icon.svg"
EXAMPLES: Final = "manifests/examples"
MARKER: Final = "# `make docs` generates the rest from other files.\n"
_PREFIX: Final = "artifacthub.io"
_ABOUT_THE_CHART: Final = re.compile(r"\b(chart|helm)\b", re.IGNORECASE)
_LINK: Final = re.compile(r" \(\[[^]]*\]\([^)]*\)[^)]*\)")


def chart_yaml() -> str:
    """Return the whole Chart.yaml."""
    head = read(TARGET).partition(MARKER)[0]
    project = tomllib.loads(read("pyproject.toml"))["project"]
    where = addresses(project.get("urls", {}))
    changelog = read("CHANGELOG.md")
    annotations = {
        "category": "ai-machine-learning",
        "changes": [{"kind": kind, "description": text} for kind, text in changes(changelog)],
        "containsSecurityUpdates": "true" if "security" in sections(changelog) else "false",
        "crds": crds(),
        "crdsExamples": examples(),
        "images": images(project["version"]),
        "license": project["license"],
        "links": where.pop("links", []),
        "operator": "true",
    }
    content = where | {
        "icon": icon(),
        "annotations": {
            f"{_PREFIX}/{key}": value if isinstance(value, str) else _text(value)
            for key, value in annotations.items()
            if value
        },
    }
    return head + MARKER + _text(content)


def icon() -> str:
    """Return the icon as a data URL, which needs no server."""
    return f"data:image/svg+xml;base64,{base64.b64encode(read(ICON).encode()).decode()}"


def addresses(urls: Mapping[str, str]) -> dict[str, Any]:
    """Return the keys `home`, `sources` and `links` from the project's URLs; empty without URLs."""
    named = {name.lower(): url for name, url in urls.items()}
    found: dict[str, Any] = {}
    if home := named.get("homepage"):
        found["home"] = home
    if source := named.get("source") or named.get("repository"):
        found["sources"] = [source]
    if urls:
        found["links"] = [{"name": name, "url": url} for name, url in urls.items()]
    return found


def sections(changelog: str) -> dict[str, list[str]]:
    """Return the entries of the changelog's newest version: kind in lower case -> lines."""
    newest = re.split(r"^## ", changelog, flags=re.MULTILINE)[1]
    parts = re.split(r"^### (\w+)\n", newest, flags=re.MULTILINE)[1:]
    return {
        kind.lower(): re.findall(r"^- (.+)$", text, re.MULTILINE)
        for kind, text in zip(parts[::2], parts[1::2], strict=True)
    }


def changes(changelog: str) -> list[tuple[str, str]]:
    """Return kind and text of the newest version's changes to the chart, without links to files of the project."""
    return [
        (kind, _LINK.sub("", line))
        for kind, lines in sections(changelog).items()
        for line in lines
        if _ABOUT_THE_CHART.search(line)
    ]


def crds() -> list[dict[str, str]]:
    """Return the CRD, one entry for each version."""
    one = yaml.safe_load(crd.files()[f"{crd.FOLDER}/reconstructionjobs.yaml"])
    kind = one["spec"]["names"]["kind"]
    return [
        {
            "kind": kind,
            "version": version["name"],
            "name": one["metadata"]["name"],
            "displayName": re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind),
            "description": version["schema"]["openAPIV3Schema"]["description"],
        }
        for version in one["spec"]["versions"]
    ]


def examples() -> list[dict[str, Any]]:
    """Return the example manifests."""
    return [yaml.safe_load(path.read_text()) for path in sorted((CHECKOUT / EXAMPLES).glob("*.yaml"))]


def images(version: str) -> list[dict[str, str]]:
    """Return the images of the chart's default values; an empty tag is the project's version."""
    values = yaml.safe_load(read(f"{CHART}/values.yaml"))
    sources = {"operator": values["operator"], "worker": values["workerDefaults"], "redis": values["redis"]}
    return [{"name": name, "image": _image(one["image"], version)} for name, one in sources.items()]


def _image(image: Mapping[str, str], version: str) -> str:
    parts = filter(None, [image.get("registry"), image["repository"]])
    return f"{'/'.join(parts)}:{image['tag'] or version}"


class _Dumper(yaml.SafeDumper):
    """Dumps texts of several lines as blocks."""


def _block(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _block)


def _text(content: Mapping[str, Any] | Sequence[Any]) -> str:
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)


def files() -> dict[str, str]:
    """Return the files: path in the checkout -> content."""
    return {TARGET: chart_yaml()}
