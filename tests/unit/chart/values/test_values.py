"""Values: each is documented and in the schema, which describes every key and checks types."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.generate.chart import documented, resolved
from scripts.paths import CHART
from tests.support.chart import Ask, Refuse, Render, container_of
from tests.support.paths import CHECKOUT

# Maps with the user's own keys.
FREE = {"settings", "workers", "photos", "imagePullSecrets", "global.imagePullSecrets", "workerDefaults.settings"}


@pytest.fixture(scope="session")
def defaults(chart: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((chart / "values.yaml").read_text())
    return found


@pytest.fixture(scope="session")
def schema(chart: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((chart / "values.schema.json").read_text())
    return found


def schema_keys(node: dict[str, Any], root: dict[str, Any], path: str = "") -> Iterator[str]:
    """Yield every key of the schema, with dots, except those below a map with the user's keys."""
    for name, child in resolved(node, root).get("properties", {}).items():
        key = f"{path}.{name}" if path else name
        yield key
        if key not in FREE:
            yield from schema_keys(child, root, key)


def value_keys(values: dict[str, Any], known: set[str], path: str = "") -> Iterator[str]:
    """Yield every key of values.yaml, with dots, except those inside a map that is one value."""
    for name, child in values.items():
        key = f"{path}.{name}" if path else name
        yield key
        if isinstance(child, dict) and any(each.startswith(f"{key}.") for each in known):
            yield from value_keys(child, known, key)


def test_the_schema_has_exactly_the_keys_of_the_values(defaults: dict[str, Any], schema: dict[str, Any]) -> None:
    known = set(schema_keys(schema, schema))
    unset = {key for key in known if re.search(r"resources\.(requests|limits|claims)$", key)}

    assert set(value_keys(defaults, known)) - unset == known - unset


def test_every_value_is_documented(chart: Path, schema: dict[str, Any]) -> None:
    meanings = {value.key: value.meaning for value in documented((chart / "values.yaml").read_text())}
    known = set(schema_keys(schema, schema))
    whole = {key for key in known if not any(other.startswith(f"{key}.") for other in known) or "resources" in key}
    whole = {key for key in whole if not re.search(r"resources\.(requests|limits|claims)$", key)}

    assert {key for key in whole if len(meanings.get(key, "")) < 5} == set()
    assert meanings.keys() <= known | {"workers.cpu", "workers.gpu"}


def undescribed(node: dict[str, Any], path: str) -> Iterator[str]:
    """Yield every key and definition of the schema without a description; items and map values may refer to a definition."""
    named = {f"{path}.{name}": child for name, child in node.get("properties", {}).items()}
    named |= {f"#{name}": child for name, child in node.get("definitions", {}).items()}
    others = {f"{path}.{key}": node[key] for key in ("items", "additionalProperties") if key in node}
    for name, child in (named | others).items():
        if len(child.get("description", "")) < 5 and not (name in others and "$ref" in child):
            yield name
        yield from undescribed(child, name)


def test_every_key_of_the_schema_is_described(schema: dict[str, Any]) -> None:
    assert list(undescribed(schema, "")) == []


def test_descriptions_in_the_schema_come_from_the_values(chart: Path, schema: dict[str, Any]) -> None:
    operator = schema["properties"]["operator"]["properties"]
    meanings = {value.key: value.meaning for value in documented((chart / "values.yaml").read_text())}

    assert operator["replicas"]["description"] == meanings["operator.replicas"]
    assert schema["definitions"]["pool"]["properties"]["queues"]["description"] == meanings["workerDefaults.queues"]


def quantity(text: object) -> dict[str, Any]:
    return {"operator": {"resources": {"limits": {"memory": text}}}}


REFUSED = {
    "priority": ({"workers": {"a": {"queues": ["x-high"]}}}, "x-high is a priority of the queue x"),
    # The pool cpu has the same queue.
    "namespaces of a shared queue": (
        {"workers": {"a": {"namespaces": ["maps"]}}},
        "another pool has the queue celery, and other namespaces: give both the same list",
    ),
    "pool": ({"workers": {"CPU": {}}}, "workers.CPU: the name of a pool has at most 15 small letters"),
    "type": ({"operator": {"replicas": "two"}}, "'/operator/replicas': got string, want integer"),
    "choice": ({"image": {"pullPolicy": "Maybe"}}, "must be one of 'Always', 'IfNotPresent', 'Never'"),
    "size": ({"jobs": {"size": "20 GB"}}, "'/jobs/size'"),
    "unit": ({"jobs": {"size": "20ki"}}, "'/jobs/size'"),
    "limit": (quantity("8GB"), "'/operator/resources/limits/memory'"),
    "no quantity": (quantity(True), "'/operator/resources/limits/memory': got boolean"),
    "request of a pool": (
        {"workers": {"a": {"resources": {"requests": {"cpu": "2 cores"}}}}},
        "'/workers/a/resources/requests/cpu'",
    ),
    "digest": ({"redis": {"image": {"digest": "abc"}}}, "'/redis/image/digest'"),
    "photos": ({"photos": [{"name": "a", "existingClaim": "b"}]}, "missing property 'mountPath'"),
    "mount": ({"photos": [{"name": "a", "mountPath": "/data", "existingClaim": "b"}]}, "'/photos/0/mountPath'"),
    "minimum": ({"workers": {"cpu": {"concurrency": 0}}}, "'/workers/cpu/concurrency': minimum"),
    "pull secret": ({"imagePullSecrets": [{}]}, "'/imagePullSecrets/0': missing property 'name'"),
    "label": ({"commonLabels": {"team": 1}}, "'/commonLabels/team': got number"),
}


@pytest.mark.parametrize(("values", "message"), REFUSED.values(), ids=REFUSED)
def test_invalid_values_are_rejected_by_name(refuse: Refuse, values: dict[str, Any], message: str) -> None:
    assert message in refuse(values)


@pytest.mark.parametrize("text", ["8Gi", "8G", "500m", "1.5Ki", "512k", "1e9", "128974848", ".5", 2, 0.25])
def test_every_form_of_a_quantity_is_accepted(render: Render, text: object) -> None:
    assert container_of(render(quantity(text)), "operator")["resources"]["limits"]["memory"] == text


def test_autoscaling_needs_a_prometheus_address(refuse: Refuse) -> None:
    values = {"workers": {"cpu": {"autoscaling": {"enabled": True}}}}

    message = refuse(values, apis=("keda.sh/v1alpha1/ScaledObject",))

    assert "workers.cpu.autoscaling needs keda.prometheusAddress" in message


@pytest.mark.parametrize("values", ["", *sorted(path.name for path in (CHECKOUT / CHART / "ci").iterdir())])
def test_helm_lint_reports_nothing(ask: Ask, chart: Path, values: str) -> None:
    options = ["--values", str(chart / "ci" / values)] if values else []

    done = ask("lint", "--strict", *options)

    assert done.status == 0
    assert "0 chart(s) failed" in done.stdout
    assert "[WARNING]" not in done.stdout


@pytest.mark.parametrize("version", ["1.31.0", "1.36.0"])
def test_the_oldest_and_the_newest_kubernetes_are_accepted(ask: Ask, version: str) -> None:
    assert ask("template", "reconstruction", "--kube-version", version).status == 0


def test_an_older_kubernetes_is_rejected(ask: Ask) -> None:
    done = ask("template", "reconstruction", "--kube-version", "1.30.9")

    assert done.status == 1
    assert "requires kubeVersion: >=1.31.0-0" in done.stderr
