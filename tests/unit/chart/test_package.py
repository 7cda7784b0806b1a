"""Package: README and notes name only files in it, and Chart.yaml has the metadata for Artifact Hub."""

from __future__ import annotations

import base64
import json
import re
import tarfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from devcluster.programs.helm import helm
from tests.support.chart import Ask, Render, images
from tests.support.paths import CHART, CHECKOUT

# A file by its ending, or a path below a folder of the project or of the chart.
NAMED = re.compile(
    r"(?<![\w:/.{$-])((?:docs|manifests|charts|examples|tests|scripts|operator|files|templates|ci)/[\w./-]*\w|[\w./-]+\.(?:md|ya?ml|json|tpl|txt))(?![\w/])"
)
SHAPES = ["", *sorted(path.name for path in (CHART / "ci").iterdir())]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart as `helm package` makes it."""
    folder = tmp_path_factory.mktemp("package")
    helm("package", CHART, "--destination", folder)
    (packed,) = folder.iterdir()
    return packed


@pytest.fixture(scope="module")
def content(package: Path) -> dict[str, str]:
    """The package's files: path in the chart -> text."""
    with tarfile.open(package) as archive:
        files = [(member.name.partition("/")[2], archive.extractfile(member)) for member in archive]
        return {name: file.read().decode() for name, file in files if file is not None}


def notes(ask: Ask, *options: str) -> str:
    answer = ask("install", "reconstruction", "--namespace", "lab", "--dry-run=client", *options)
    assert answer.status == 0, answer.stderr
    return answer.stdout.partition("NOTES:")[2]


def missing(text: str, content: dict[str, str]) -> set[str]:
    """Return the names in a text that are neither files nor folders of the package."""
    folders = {"/".join(name.split("/")[:depth]) for name in content for depth in range(1, name.count("/") + 1)}
    return {name for name in NAMED.findall(text) if name not in content and name not in folders}


def test_the_package_has_no_values_for_tests(content: dict[str, str]) -> None:
    assert {name for name in content if name.startswith("ci/") or name.endswith("head.md")} == set()


def test_the_readme_names_only_files_of_the_package(content: dict[str, str]) -> None:
    readme = content["README.md"]

    assert {"values.yaml", "files/crd"} <= {*NAMED.findall(readme)}  # the text is the right one
    assert missing(readme, content) == set()
    assert "`make " not in readme
    assert [link for link in re.findall(r"\]\(([^)]+)\)", readme) if not re.match(r"https?://|#", link)] == []


def test_messages_of_the_templates_name_only_files_of_the_package(content: dict[str, str]) -> None:
    templates = "\n".join(text for name, text in content.items() if name.startswith("templates/"))
    messages = [line for line in templates.splitlines() if re.search(r"\b(fail|required|printf) [\"(]", line)]

    assert len(messages) > 20
    named = missing("\n".join(messages).replace("\\n", "\n"), content)
    assert named - {"docs/runbooks"} == set()  # metrics.prometheusRule.runbookBaseUrl replaces it


@pytest.mark.parametrize("shape", SHAPES)
def test_the_notes_name_only_files_of_the_package(ask: Ask, content: dict[str, str], shape: str) -> None:
    text = notes(ask, *(["--values", str(CHART / "ci" / shape)] if shape else []))

    assert "1. Wait until the operator is ready" in text
    assert missing(text, content) == set()


def commands(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.startswith("   ")]


def test_the_notes_list_the_next_commands(ask: Ask) -> None:
    volume = "photos[0].name=archive,photos[0].existingClaim=photos,photos[0].mountPath="
    first, test, job, watch = commands(notes(ask, "--set", f"{volume}/photos"))

    assert [first, test, watch] == [
        "kubectl -n lab rollout status deployment/reconstruction-operator",
        "helm -n lab test reconstruction --logs",
        "kubectl -n lab get recon -w",
    ]
    applied = re.fullmatch(r"echo '(.+)' \| kubectl -n lab apply -f -", job)
    assert applied is not None
    example = yaml.safe_load((CHECKOUT / "manifests/examples/banana.yaml").read_text())
    assert json.loads(applied[1]) == example | {"spec": {key: example["spec"][key] for key in ("modelType", "input")}}
    assert "file:///photos/team/banana" in notes(ask, "--set", f"{volume}/photos/team")


def test_the_notes_create_no_job_from_photos_that_workers_lack(ask: Ask) -> None:
    text = notes(ask)

    assert "file:///photos" not in text
    assert "Workers have no photos yet" in text
    assert '"modelType":"placeholder"' in notes(ask, "--set", "test.enabled=false")


def test_the_notes_name_the_gallery(ask: Ask) -> None:
    assert "set gallery.enabled=true" in notes(ask)
    assert "in the gallery: https://recon.example.com\n" in notes(
        ask, "--set", "gallery.enabled=true,gallery.url=https://recon.example.com"
    )
    assert commands(notes(ask, "--set", "gallery.enabled=true"))[-1] == (
        "kubectl -n lab port-forward service/reconstruction-gallery 8080:80"
    )


@pytest.mark.parametrize(
    ("options", "policies", "inputs"),
    [
        pytest.param(
            "nameOverride=", "NetworkPolicies admit only the connections", "or use https:// inputs.", id="by default"
        ),
        pytest.param("networkPolicy.enabled=false", "NetworkPolicies are off", "or use https:// inputs.", id="off"),
        pytest.param(
            "networkPolicy.egress=true",
            "Workers reach only Redis: https:// inputs fail without networkPolicy.workerEgress",
            "or use https:// inputs and allow them in networkPolicy.workerEgress.",
            id="on",
        ),
        pytest.param(
            "networkPolicy.egress=true,networkPolicy.workerEgress[0].ports[0].port=443",
            "Workers also reach what networkPolicy.workerEgress allows",
            "or use https:// inputs.",
            id="on with egress",
        ),
    ],
)
def test_the_notes_agree_with_the_network_policies(ask: Ask, options: str, policies: str, inputs: str) -> None:
    text = " ".join(notes(ask, "--set", options).split())

    assert policies in text
    assert inputs in text


# --- Chart.yaml


@pytest.fixture(scope="module")
def metadata(content: dict[str, str]) -> dict[str, Any]:
    chart: dict[str, Any] = yaml.safe_load(content["Chart.yaml"])
    return chart


def annotation(metadata: dict[str, Any], name: str) -> Any:
    return yaml.safe_load(metadata["annotations"][f"artifacthub.io/{name}"])


def test_the_icon_is_the_projects_and_needs_no_server(metadata: dict[str, Any]) -> None:
    kind, _, text = metadata["icon"].partition(";base64,")

    assert kind == "data:image/svg+xml"
    assert base64.b64decode(text) == (CHECKOUT / "docs/images/icon.svg").read_bytes()
    assert ET.fromstring(base64.b64decode(text)).tag.endswith("svg")  # noqa: S314  # our own file


def test_artifact_hub_shows_the_crd_and_scans_the_images_that_the_chart_uses(
    metadata: dict[str, Any], render: Render
) -> None:
    (crd,) = annotation(metadata, "crds")
    objects = render()

    spec = objects[f"CustomResourceDefinition/{crd['name']}"]["spec"]
    assert (crd["kind"], [crd["version"]]) == (spec["names"]["kind"], [each["name"] for each in spec["versions"]])
    assert {image["image"] for image in annotation(metadata, "images")} == images(objects)
