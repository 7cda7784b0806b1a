"""The CRD compatibility check refuses every kind of incompatible change to the CRD of the last release."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.checks import compatibility
from tests.support.paths import CHECKOUT

Crd = dict[str, Any]
RELEASED: Crd = compatibility.packaged_crd(compatibility.last_release(CHECKOUT))


def changes_by(edit: Callable[[Crd], object]) -> list[str]:
    changed = copy.deepcopy(RELEASED)
    edit(changed)
    return list(compatibility.changes(RELEASED, changed))


def version(crd: Crd) -> Crd:
    (only,) = crd["spec"]["versions"]
    found: Crd = only
    return found


def field(crd: Crd, path: str) -> Crd:
    node: Crd = version(crd)["schema"]["openAPIV3Schema"]
    for name in path.split("."):
        node = node["items"] if name == "[]" else node["properties"][name]
    return node


def remove(path: str) -> Callable[[Crd], object]:
    parent, _, name = path.rpartition(".")
    return lambda crd: field(crd, parent)["properties"].pop(name)


def update(path: str, **keys: Any) -> Callable[[Crd], object]:
    return lambda crd: field(crd, path).update(keys)


def rename_version(crd: Crd) -> None:
    version(crd)["name"] = "v1beta1"


def require_a_queue(crd: Crd) -> None:
    field(crd, "spec")["required"].append("queue")


def drop_a_priority(crd: Crd) -> None:
    field(crd, "spec.priority")["enum"].remove("low")


def add_a_rule(crd: Crd) -> None:
    field(crd, "spec")["x-kubernetes-validations"].append({"rule": "self.queue != 'a'", "message": "no"})


@pytest.mark.parametrize(
    ("edit", "change"),
    [
        pytest.param(rename_version, "v1alpha1: the version was removed", id="a version"),
        pytest.param(
            lambda crd: version(crd).update(served=False), "v1alpha1: the version is no longer served", id="serving"
        ),
        pytest.param(
            lambda crd: version(crd).pop("subresources"), "v1alpha1: the subresource status was removed", id="status"
        ),
        pytest.param(
            lambda crd: version(crd)["selectableFields"].pop(0),
            "v1alpha1: the selectable field .spec.modelType was removed",
            id="a field selector",
        ),
        pytest.param(
            lambda crd: crd["spec"].update(scope="Cluster"), "scope: Namespaced became Cluster", id="the scope"
        ),
        pytest.param(
            lambda crd: crd["spec"]["names"].update(plural="recons"),
            "names.plural: reconstructionjobs became recons",
            id="the plural",
        ),
        pytest.param(
            lambda crd: crd["spec"]["names"]["shortNames"].remove("rjob"),
            "names.shortNames: rjob was removed",
            id="a short name",
        ),
        pytest.param(remove("spec.suspend"), "v1alpha1 spec.suspend: the field was removed", id="a field"),
        pytest.param(
            remove("status.progress.eta"), "v1alpha1 status.progress.eta: the field was removed", id="a nested field"
        ),
        pytest.param(
            remove("status.outputs.files.[].bytes"),
            "v1alpha1 status.outputs.files[].bytes: the field was removed",
            id="a field of a list's items",
        ),
        pytest.param(
            update("spec.backoffLimit", type="string"),
            "v1alpha1 spec.backoffLimit: type: integer became string",
            id="a type",
        ),
        pytest.param(
            update("spec.queue", default="cpu"), "v1alpha1 spec.queue: default: celery became cpu", id="a default"
        ),
        pytest.param(
            update("spec.managedBy", pattern="^a$"),
            f"v1alpha1 spec.managedBy: pattern: {field(RELEASED, 'spec.managedBy')['pattern']} became ^a$",
            id="a pattern",
        ),
        pytest.param(require_a_queue, "v1alpha1 spec: queue became required", id="a required field"),
        pytest.param(drop_a_priority, "v1alpha1 spec.priority: the value low was removed", id="a value of an enum"),
        pytest.param(update("status.message", enum=["a"]), "v1alpha1 status.message: enum was added", id="an enum"),
        pytest.param(
            update("spec.input.uri", maxLength=100),
            "v1alpha1 spec.input.uri: maxLength: 2048 became 100",
            id="a lower maximum",
        ),
        pytest.param(
            update("spec.input.uri", minLength=9),
            "v1alpha1 spec.input.uri: minLength: nothing became 9",
            id="a minimum where none was",
        ),
        pytest.param(
            update("status.attempt", minimum=1), "v1alpha1 status.attempt: minimum: 0 became 1", id="a higher minimum"
        ),
        pytest.param(
            lambda crd: field(crd, "status.quality")["additionalProperties"].update(maxLength=1),
            "v1alpha1 status.quality.*: maxLength: 128 became 1",
            id="values of a map",
        ),
        pytest.param(
            lambda crd: field(crd, "spec.parameters").pop("x-kubernetes-preserve-unknown-fields"),
            "v1alpha1 spec.parameters: x-kubernetes-preserve-unknown-fields: True became nothing",
            id="free fields",
        ),
        pytest.param(add_a_rule, "v1alpha1 spec: new rule: self.queue != 'a'", id="a validation rule"),
    ],
)
def test_an_incompatible_change_is_found(edit: Callable[[Crd], object], change: str) -> None:
    assert changes_by(edit) == [change]


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda _: None, id="no change"),
        pytest.param(
            lambda crd: field(crd, "spec")["properties"].update(seed={"type": "integer", "minimum": 0, "maximum": 1}),
            id="a new optional field with limits",
        ),
        pytest.param(update("spec.input.uri", maxLength=4096), id="a wider maximum"),
        pytest.param(update("status.attempt", minimum=-1), id="a wider minimum"),
        pytest.param(lambda crd: field(crd, "status.phase")["enum"].append("Paused"), id="a new value of an enum"),
        pytest.param(lambda crd: field(crd, "spec.input")["required"].clear(), id="no longer required"),
        pytest.param(lambda crd: field(crd, "spec")["x-kubernetes-validations"].pop(), id="a rule that went"),
        pytest.param(update("spec.queue", description="Other words."), id="a description"),
        pytest.param(
            lambda crd: crd["spec"]["versions"].append(dict(version(crd), name="v1beta1", storage=False)),
            id="a second version",
        ),
    ],
)
def test_a_compatible_change_is_accepted(edit: Callable[[Crd], object]) -> None:
    assert changes_by(edit) == []


def test_an_excused_change_passes_and_an_unused_exception_fails() -> None:
    found = compatibility.unexcused(iter(["a: gone", "b: gone"]), {"a: gone": "never used", "c: gone": "old"}, "0.1.0")
    assert found == ["not compatible with 0.1.0: b: gone", "an exception without a change: c: gone"]


def test_the_package_with_the_highest_version_is_the_last_release(tmp_path: Path) -> None:
    folder = tmp_path / "tests/data/charts"
    folder.mkdir(parents=True)
    for number in ("0.9.0", "0.10.0", "0.2.1"):
        (folder / f"reconstruction-operator-{number}.tgz").touch()
    assert compatibility.last_release(tmp_path).name == "reconstruction-operator-0.10.0.tgz"
