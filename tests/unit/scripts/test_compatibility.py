"""The CRD compatibility check rejects every kind of incompatible change to the CRD of the last release."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from scripts.checks import compatibility
from tests.support.paths import CHECKOUT

Crd = dict[str, Any]
Edit = Callable[[Crd], object]
RELEASED: Crd = compatibility.packaged_crd(compatibility.last_release(CHECKOUT))


def changes_by(edit: Edit) -> list[str]:
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


def remove(path: str) -> Edit:
    parent, _, name = path.rpartition(".")
    return lambda crd: field(crd, parent)["properties"].pop(name)


def update(path: str, **keys: Any) -> Edit:
    return lambda crd: field(crd, path).update(keys)


def rename_version(crd: Crd) -> None:
    version(crd)["name"] = "v1beta1"


def require_a_queue(crd: Crd) -> None:
    field(crd, "spec")["required"].append("queue")


def drop_a_priority(crd: Crd) -> None:
    field(crd, "spec.priority")["enum"].remove("low")


def add_a_rule(crd: Crd) -> None:
    field(crd, "spec")["x-kubernetes-validations"].append({"rule": "self.queue != 'a'", "message": "no"})


INCOMPATIBLE: Mapping[str, Edit] = {
    "v1alpha1: the version was removed": rename_version,
    "v1alpha1: the version is no longer served": lambda crd: version(crd).update(served=False),
    "v1alpha1: the subresource status was removed": lambda crd: version(crd).pop("subresources"),
    "v1alpha1: the selectable field .spec.modelType was removed": lambda crd: version(crd)["selectableFields"].pop(0),
    "scope: Namespaced became Cluster": lambda crd: crd["spec"].update(scope="Cluster"),
    "names.plural: reconstructionjobs became recons": lambda crd: crd["spec"]["names"].update(plural="recons"),
    "names.shortNames: rjob was removed": lambda crd: crd["spec"]["names"]["shortNames"].remove("rjob"),
    "v1alpha1 spec.suspend: the field was removed": remove("spec.suspend"),
    "v1alpha1 status.progress.eta: the field was removed": remove("status.progress.eta"),
    "v1alpha1 status.outputs.files[].bytes: the field was removed": remove("status.outputs.files.[].bytes"),
    "v1alpha1 spec.backoffLimit: type: integer became string": update("spec.backoffLimit", type="string"),
    "v1alpha1 spec.queue: default: celery became cpu": update("spec.queue", default="cpu"),
    f"v1alpha1 spec.managedBy: pattern: {field(RELEASED, 'spec.managedBy')['pattern']} became ^a$": update(
        "spec.managedBy", pattern="^a$"
    ),
    "v1alpha1 spec: queue became required": require_a_queue,
    "v1alpha1 spec.priority: the value low was removed": drop_a_priority,
    "v1alpha1 status.message: enum was added": update("status.message", enum=["a"]),
    "v1alpha1 spec.input.uri: maxLength: 2048 became 100": update("spec.input.uri", maxLength=100),
    "v1alpha1 spec.input.uri: minLength: nothing became 9": update("spec.input.uri", minLength=9),
    "v1alpha1 status.attempt: minimum: 0 became 1": update("status.attempt", minimum=1),
    "v1alpha1 status.quality.*: maxLength: 128 became 1": lambda crd: field(crd, "status.quality")[
        "additionalProperties"
    ].update(maxLength=1),
    "v1alpha1 spec.parameters: x-kubernetes-preserve-unknown-fields: True became nothing": lambda crd: field(
        crd, "spec.parameters"
    ).pop("x-kubernetes-preserve-unknown-fields"),
    "v1alpha1 spec: new rule: self.queue != 'a'": add_a_rule,
}


@pytest.mark.parametrize(("change", "edit"), INCOMPATIBLE.items(), ids=INCOMPATIBLE)
def test_an_incompatible_change_is_found(change: str, edit: Edit) -> None:
    assert changes_by(edit) == [change]


COMPATIBLE: Mapping[str, Edit] = {
    "no change": lambda _: None,
    "a new optional field with limits": lambda crd: field(crd, "spec")["properties"].update(
        seed={"type": "integer", "minimum": 0, "maximum": 1}
    ),
    "a wider maximum": update("spec.input.uri", maxLength=4096),
    "a wider minimum": update("status.attempt", minimum=-1),
    "a new value of an enum": lambda crd: field(crd, "status.phase")["enum"].append("Paused"),
    "no longer required": lambda crd: field(crd, "spec.input")["required"].clear(),
    "a rule that went": lambda crd: field(crd, "spec")["x-kubernetes-validations"].pop(),
    "a description": update("spec.queue", description="Other words."),
    "a second version": lambda crd: crd["spec"]["versions"].append(dict(version(crd), name="v1beta1", storage=False)),
}


@pytest.mark.parametrize("edit", COMPATIBLE.values(), ids=COMPATIBLE)
def test_a_compatible_change_is_accepted(edit: Edit) -> None:
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
