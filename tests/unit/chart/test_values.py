"""Values: each is documented and in the schema, and wrong ones are refused with a message that says what and where."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster.programs.helm import helm
from scripts.generate.chart import documented
from scripts.paths import CHART
from tests.support.chart import Refuse
from tests.support.paths import CHECKOUT

# Maps with the user's own keys.
FREE = {"settings", "workers", "photos", "workerDefaults.settings"}


@pytest.fixture(scope="session")
def defaults(chart: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((chart / "values.yaml").read_text())
    return found


@pytest.fixture(scope="session")
def schema(chart: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((chart / "values.schema.json").read_text())
    return found


def resolved(node: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        node = root["definitions"][node["$ref"].rpartition("/")[2]]
    return node


def schema_keys(node: dict[str, Any], root: dict[str, Any], path: str = "") -> Iterator[str]:
    """Every key of the schema, with dots, without those below a map with the user's own keys."""
    for name, child in resolved(node, root).get("properties", {}).items():
        key = f"{path}.{name}" if path else name
        yield key
        if key not in FREE:
            yield from schema_keys(child, root, key)


def value_keys(values: dict[str, Any], known: set[str], path: str = "") -> Iterator[str]:
    """Every key of values.yaml, with dots, without those inside a map that is one value."""
    for name, child in values.items():
        key = f"{path}.{name}" if path else name
        yield key
        if isinstance(child, dict) and any(each.startswith(f"{key}.") for each in known):
            yield from value_keys(child, known, key)


def test_the_schema_has_exactly_the_keys_of_the_values(defaults: dict[str, Any], schema: dict[str, Any]) -> None:
    known = set(schema_keys(schema, schema)) - {"global"}
    unset = {key for key in known if re.search(r"resources\.(requests|limits|claims)$", key)}

    assert set(value_keys(defaults, known)) - unset == known - unset


def test_every_value_is_documented(chart: Path, schema: dict[str, Any]) -> None:
    meanings = {value.key: value.meaning for value in documented((chart / "values.yaml").read_text())}
    known = set(schema_keys(schema, schema)) - {"global"}
    whole = {key for key in known if not any(other.startswith(f"{key}.") for other in known) or "resources" in key}
    whole = {key for key in whole if not re.search(r"resources\.(requests|limits|claims)$", key)}

    assert {key for key in whole if len(meanings.get(key, "")) < 5} == set()
    assert meanings.keys() <= known | {"workers.cpu", "workers.gpu"}


def test_every_object_of_the_schema_rejects_unknown_keys(schema: dict[str, Any]) -> None:
    def open_objects(node: Any, path: str) -> Iterator[str]:
        if isinstance(node, dict):
            if "properties" in node and node.get("additionalProperties") is not False and path != "/properties":
                yield path
            for name, child in node.items():
                yield from open_objects(child, f"{path}/{name}")

    assert list(open_objects(schema, "")) == []


REFUSED = [
    pytest.param({"replicas": 2}, "at '': additional properties 'replicas' not allowed", id="unknown"),
    pytest.param({"operator": {"replica": 2}}, "'/operator': additional properties 'replica'", id="unknown below"),
    pytest.param({"settings": {"LOG_LEVL": "INFO"}}, "'/settings': additional properties 'LOG_LEVL'", id="setting"),
    pytest.param({"settings": {"DRAIN_SECONDS": 9}}, "additional properties 'DRAIN_SECONDS'", id="setting of a value"),
    pytest.param(
        {"workers": {"cpu": {"queue": "a"}}}, "'/workers/cpu': additional properties 'queue'", id="pool's key"
    ),
    pytest.param({"workers": {"CPU": {}}}, "'/workers': additional properties 'CPU'", id="pool's name"),
    pytest.param({"workers": {"a": {"queues": ["x-high"]}}}, "x-high is a priority of the queue x", id="priority"),
    pytest.param({"operator": {"replicas": "two"}}, "'/operator/replicas': got string, want integer", id="type"),
    pytest.param({"image": {"pullPolicy": "Maybe"}}, "must be one of 'Always', 'IfNotPresent', 'Never'", id="choice"),
    pytest.param({"jobs": {"size": "20 GB"}}, "'/jobs/size'", id="quantity"),
    pytest.param({"redis": {"image": {"digest": "abc"}}}, "'/redis/image/digest'", id="digest"),
    pytest.param({"photos": [{"name": "a", "existingClaim": "b"}]}, "missing property 'mountPath'", id="photos"),
    pytest.param(
        {"photos": [{"name": "a", "mountPath": "/data", "existingClaim": "b"}]}, "'/photos/0/mountPath'", id="mount"
    ),
    pytest.param({"workers": {"cpu": {"concurrency": 0}}}, "'/workers/cpu/concurrency': minimum", id="minimum"),
]


@pytest.mark.parametrize(("values", "message"), REFUSED)
def test_wrong_values_are_refused_by_name(refuse: Refuse, values: dict[str, Any], message: str) -> None:
    assert message in refuse(values)


def test_autoscaling_needs_a_prometheus_address(refuse: Refuse) -> None:
    values = {"workers": {"cpu": {"autoscaling": {"enabled": True}}}}

    message = refuse(values, apis=("keda.sh/v1alpha1/ScaledObject",))

    assert "workers.cpu.autoscaling needs keda.prometheusAddress" in message


@pytest.mark.parametrize("values", ["", *sorted(path.name for path in (CHECKOUT / CHART / "ci").iterdir())])
def test_helm_lint_reports_nothing(chart: Path, values: str) -> None:
    options: list[str | Path] = ["--values", chart / "ci" / values] if values else []

    done = helm("lint", "--strict", chart, *options)

    assert "0 chart(s) failed" in done.stdout
    assert "[WARNING]" not in done.stdout


@pytest.mark.parametrize("version", ["1.31.0", "1.36.0"])
def test_the_oldest_and_the_newest_kubernetes_are_accepted(chart: Path, version: str) -> None:
    assert helm("template", "reconstruction", chart, "--kube-version", version).stdout


def test_an_older_kubernetes_is_rejected(chart: Path) -> None:
    done = helm("template", "reconstruction", chart, "--kube-version", "1.30.9", check=False)

    assert done.returncode == 1
    assert "requires kubeVersion: >=1.31.0-0" in done.stderr


def test_the_notes_list_the_next_commands(chart: Path) -> None:
    text = helm("install", "reconstruction", chart, "--namespace", "lab", "--dry-run=client").stdout

    notes = text.partition("NOTES:")[2]
    assert [line.strip() for line in notes.splitlines() if line.startswith("   ")] == [
        "kubectl -n lab rollout status deployment/reconstruction-operator",
        "helm -n lab test reconstruction --logs",
        "kubectl -n lab apply -f manifests/examples/banana.yaml",
        "kubectl -n lab get recon -w",
    ]
