"""Fields in the files for kube-state-metrics and k9s exist in the CRD."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from reconstruction_operator.api.crd import PRINTER_COLUMNS, SHORT_NAMES, crd, schema
from reconstruction_operator.api.identity import GROUP, KIND, PLURAL, VERSION
from reconstruction_operator.api.status import Phase
from reconstruction_operator.api.verdict import Verdict

from tests.support.paths import CHECKOUT

INTEGRATIONS = CHECKOUT / "manifests" / "integrations"
(RESOURCE,) = yaml.safe_load((INTEGRATIONS / "kube-state-metrics" / "custom-resource-state.yaml").read_text())["spec"][
    "resources"
]
PLUGINS = yaml.safe_load((INTEGRATIONS / "k9s" / "plugins.yaml").read_text())["plugins"]
VIEWS = yaml.safe_load((INTEGRATIONS / "k9s" / "views.yaml").read_text())["views"]
METADATA = ("name", "namespace", "creationTimestamp")  # the schema of metadata is the API server's own


def field(path: list[str]) -> dict[str, Any]:
    """Return the schema at a path; for a list, the schema of its items."""
    node = schema()
    for part in path:
        node = node.get("items", node)["properties"][part]
    return node.get("items", node)


def exists(path: list[str]) -> bool:
    if path[0] == "metadata":
        return path[1] in METADATA
    try:
        field(path)
    except KeyError:
        return False
    return True


def paths() -> Iterator[list[str]]:
    yield from RESOURCE["labelsFromPath"].values()
    for metric in RESOURCE["metrics"]:
        (body,) = (value for key, value in metric["each"].items() if key != "type")
        base = body.get("path", [])
        if base:
            yield base
        for more in body.get("labelsFromPath", {}).values():
            yield [*base, *more]
        if "valueFrom" in body:
            yield [*base, *body["valueFrom"]]


@pytest.mark.parametrize("path", list(paths()), ids=".".join)
def test_kube_state_metrics_reads_a_field_that_exists(path: list[str]) -> None:
    assert exists(path)


def test_kube_state_metrics_file_has_our_kind_and_all_phases() -> None:
    assert RESOURCE["groupVersionKind"] == {"group": GROUP, "version": VERSION, "kind": KIND}
    each = [metric["each"] for metric in RESOURCE["metrics"]]
    phases, verdicts = [metric["stateSet"]["list"] for metric in each if metric["type"] == "StateSet"]
    assert phases == [phase.value for phase in Phase]
    assert verdicts == list(Verdict)


def test_the_columns_of_k9s_are_printer_columns_or_fields() -> None:
    (columns,) = [view["columns"] for name, view in VIEWS.items() if name == f"{GROUP}/{VERSION}/{PLURAL}"]
    printed = {column["name"].upper() for column in PRINTER_COLUMNS} | {"NAME", "NAMESPACE"}
    for column in columns:
        name, _, value = column.partition(":")
        path, *filters = value.split(" | ")
        if filters:  # jq: .status | .phase | …
            names = re.findall(r"\.([a-z]\w*)", filters[0])
            assert names, column
            assert all(exists([path.lstrip("."), *name.split(".")]) for name in names), column
        elif path:
            assert exists(path.lstrip(".").split(".")), column
        else:
            assert name.partition("|")[0] in printed, column


def test_k9s_finds_the_plugins_by_names_that_the_server_knows() -> None:
    scopes = {scope for plugin in PLUGINS.values() for scope in plugin["scopes"]}
    assert scopes <= {PLURAL, KIND.lower(), *SHORT_NAMES}
    patched = {plugin["args"][plugin["args"].index("patch") + 1] for plugin in PLUGINS.values()}
    assert patched == {crd()["metadata"]["name"]}


def test_keys_are_distinct_unsafe_for_a_reader_and_confirmed_for_a_cancel() -> None:
    keys = [plugin["shortCut"] for plugin in PLUGINS.values()]
    assert len(set(keys)) == len(keys)
    assert {plugin["dangerous"] for plugin in PLUGINS.values()} == {True}  # a read-only k9s offers none of them
    for name in ("reconstruction-request-cancel", "reconstruction-confirm-cancel"):
        assert PLUGINS[name]["confirm"] is True
