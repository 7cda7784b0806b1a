"""Examples: the API server admits each, and the commands in their comments work."""

import re
from pathlib import Path

import pytest
import yaml
from reconstruction_operator.api.crd import schema

from devcluster.harness.kubectl import Kubectl
from tests.support.paths import CHECKOUT

_FOLDER = CHECKOUT / "manifests" / "examples"
_EXAMPLES = [pytest.param(path, id=path.stem) for path in sorted(_FOLDER.glob("*.yaml"))]


def test_every_field_of_the_spec_has_an_example() -> None:
    used = {field for path in _FOLDER.glob("*.yaml") for field in yaml.safe_load(path.read_text())["spec"]}

    # A cancel is a change; managedBy is for controllers.
    fields = schema()["properties"]["spec"]["properties"].keys()
    assert fields - used <= {"cancelRequested", "cancelConfirmed", "cancelReason", "managedBy"}


@pytest.mark.parametrize("path", _EXAMPLES)
def test_an_example_has_a_comment_and_the_name_of_its_file(path: Path) -> None:
    text = path.read_text()

    assert text.startswith("# ")
    assert yaml.safe_load(text)["metadata"]["name"] == path.stem


@pytest.mark.parametrize("path", _EXAMPLES)
def test_an_example_that_the_charts_defaults_cannot_run_names_its_needs(path: Path) -> None:
    """By default no photos are mounted, object storage is off, and there is only a pool of CPUs."""
    spec = yaml.safe_load(path.read_text())["spec"]
    runs = spec.get("modelType") == "placeholder" and "output" not in spec and spec.get("queue", "celery") == "celery"
    assert path.read_text().startswith("# Needs ") is not runs


@pytest.mark.parametrize("path", _EXAMPLES)
def test_an_example_is_admitted_and_its_own_commands_work(kubectl: Kubectl, path: Path) -> None:
    assert kubectl("apply", "-f", path).text == f"reconstructionjob.reconstruction.dev/{path.stem} created\n"

    commands = re.findall(r"^#   kubectl (patch .*?) --type=merge -p '(.*?)'", path.read_text(), re.MULTILINE)
    requested = any("cancelConfirmed" in body for _, body in commands)
    for command, body in commands:
        if requested and "cancelConfirmed" in body:  # its comment requires a request; the last one was withdrawn
            assert kubectl.change(path.stem, cancelRequested=True).accepted
        answer = kubectl(*command.split(), "--type=merge", "-p", body)
        assert answer.accepted, answer.text
