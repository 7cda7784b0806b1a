"""Unknown values are rejected together, each with a suggestion."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from scripts.generate.chart import BY_HABIT
from tests.support.chart import Ask, Refuse, Render
from tests.support.paths import CHART

ADVICE = {
    "letter": ({"operator": {"replica": 2}}, "- operator.replica: did you mean operator.replicas?"),
    "case": ({"operator": {"nodeselector": {}}}, "- operator.nodeselector: did you mean operator.nodeSelector?"),
    "other number": ({"networkpolicies": {"enabled": True}}, "- networkpolicies: did you mean networkPolicy?"),
    "elsewhere": (
        {"replicas": 2},
        "- replicas: did you mean operator.replicas or workerDefaults.replicas or workers.POOL.replicas?",
    ),
    "of another object": (
        {"workers": {"cpu": {"image": {"pullPolicy": "Always"}}}},
        "- workers.cpu.image.pullPolicy: did you mean image.pullPolicy?",
    ),
    "of a pool": ({"workers": {"cpu": {"queue": "a"}}}, "did you mean workers.cpu.queues?"),
    "setting": ({"settings": {"LOG_LEVL": "INFO"}}, "- settings.LOG_LEVL: did you mean settings.LOG_LEVEL?"),
    "a setting with its own value": (
        {"settings": {"WATCH_NAMESPACE": "maps"}},
        "- settings.WATCH_NAMESPACE: did you mean WATCH_NAMESPACES? set operator.watchNamespaces",
    ),
    "value": ({"settings": {"DRAIN_SECONDS": 9}}, "- settings.DRAIN_SECONDS: set workers.POOL.drainSeconds"),
    "setting of a pool": (
        {"workers": {"cpu": {"settings": {"INPUT_ROOTS": "/a"}}}},
        "- workers.cpu.settings.INPUT_ROOTS: it is always /photos; set photos for the volumes",
    ),
    "in a list": (
        {"photos": [{"name": "a", "mountPath": "/photos", "existingClaim": "b", "subpath": "c"}]},
        "- photos[0].subpath: did you mean photos[0].subPath?",
    ),
    "in too many places": ({"operator": {"enabled": True}}, "- operator.enabled\n"),
    "by habit, replicas": (
        {"replicaCount": 2},
        "- replicaCount: did you mean operator.replicas, or workers.POOL.replicas?\n",
    ),
    "by habit, a tag": ({"image": {"tag": "1"}}, "- image.tag: did you mean global.imageTag, or the tag of one image:"),
    "by habit, KEDA": ({"keda": {"enabled": True}}, "- keda.enabled: did you mean workers.POOL.autoscaling.enabled?"),
    "unlike any": ({"xyzzy": None}, "- xyzzy\n"),
    "variable of the operator": (
        {"operator": {"extraEnv": [{"name": "WATCH_NAMESPACE", "value": "maps"}]}},
        "- operator.extraEnv: WATCH_NAMESPACE is not a setting: did you mean WATCH_NAMESPACES?",
    ),
    "variable of a pool": (
        {"workers": {"cpu": {"extraEnv": [{"name": "INPUT_ROOT", "value": "/a"}]}}},
        "- workers.cpu.extraEnv: INPUT_ROOT is not a setting: did you mean INPUT_ROOTS?",
    ),
}


@pytest.mark.parametrize(("values", "line"), ADVICE.values(), ids=ADVICE)
def test_the_message_has_the_probably_intended_value(refuse: Refuse, values: dict[str, Any], line: str) -> None:
    assert line in refuse(values)


def test_the_suggestions_for_values_of_other_charts_are_values() -> None:
    objects = json.loads((CHART / "files" / "values.json").read_text())["objects"] | {"global": ["imageTag"]}
    for advice in BY_HABIT.values():
        named = re.findall(r"\b[a-z]\w+(?:\.\w+)+", advice.replace("POOL", "cpu"))
        assert named
        for name in named:
            path, _, key = re.sub(r"^workers\.cpu", "workers.*", name).rpartition(".")
            assert key in objects[path], name


def test_other_variables_are_accepted(render: Render) -> None:
    names = ("WATCH_NAMESPACES", "POD_NAMESPACE", "CELERY_BROKER_READ_URL", "OTEL_EXPORTER_OTLP_TRACES_HEADERS", "TZ")
    assert render({"operator": {"extraEnv": [{"name": name, "value": "a"} for name in names]}})


def with_an_unknown_key(objects: dict[str, list[str]]) -> dict[str, Any]:
    """Return values with the key `unknown` in every object of the chart."""
    values: dict[str, Any] = {}
    for path in sorted(objects):
        node: Any = values
        for name in filter(None, path.replace("*", "cpu").split(".")):
            key = name.removesuffix("[]")
            node = node.setdefault(name, {}) if key == name else node.setdefault(key, [{}])[0]
        if objects[path] != ["*"]:
            node["unknown"] = 1
    values["photos"][0] |= {"name": "a", "mountPath": "/photos", "existingClaim": "b"}
    values["imagePullSecrets"][0]["name"] = "a"
    return values


def test_an_unknown_key_is_found_in_every_object(refuse: Refuse) -> None:
    objects = json.loads((CHART / "files" / "values.json").read_text())["objects"]

    message = refuse(with_an_unknown_key(objects))

    assert "this chart has no such value" in message
    unknown = re.findall(r"^- (?:(\S+)\.)?unknown\b", message, re.MULTILINE)
    expected = {re.sub(r"\[\]", "[0]", path.replace("*", "cpu")) for path, keys in objects.items() if keys != ["*"]}
    assert {*unknown} == expected
    assert len(unknown) == len(expected) > 40


def test_values_of_a_parent_chart_are_ignored(render: Render) -> None:
    assert render({"enabled": True, "global": {"domain": "example.com", "imagePullSecrets": [{"name": "a"}]}})


def test_helm_lint_reports_an_unknown_value(ask: Ask) -> None:
    done = ask("lint", "--set", "operator.replica=1")

    assert done.status == 1
    assert "operator.replica: did you mean operator.replicas?" in done.stdout
