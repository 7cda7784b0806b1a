"""Parameters that no model accepts: the API server rejects them, so that no reader of the jobs must parse them."""

import json
from typing import Any

import pytest

from devcluster import wait_until
from devcluster.harness.kubectl import Kubectl
from devcluster.harness.manifests import manifest

_ACTIVE_SECONDS = 60.0  # until the API server enforces a new policy


def body(parameters: str) -> str:
    """A job with these parameters, as JSON: kubectl's YAML reader would take long for deep ones."""
    text = json.dumps(manifest("bounded", modelType="placeholder", parameters="PARAMETERS"))
    return text.replace('"PARAMETERS"', parameters)


def deep(levels: int, opening: str, closing: str) -> str:
    return '{"a": ' + opening * levels + closing * levels + "}"


@pytest.fixture
def create(kubectl: Kubectl) -> Kubectl:
    """kubectl, once the policy is enforced."""
    wait_until(
        lambda: not kubectl("create", "--dry-run=server", "-f", "-", text=body('{"a": [[]]}')).accepted,
        "the API server to enforce the policy on parameters",
        timeout_seconds=_ACTIVE_SECONDS,
    )
    return kubectl


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        pytest.param('{"a": {"b": 1}}', "each value must be", id="a mapping"),
        pytest.param('{"a": [[1]]}', "each value must be", id="a list in a list"),
        pytest.param('{"a": [{"b": 1}]}', "each value must be", id="a mapping in a list"),
        pytest.param(deep(9_990, "[", "]"), "each value must be", id="9990 lists"),
        pytest.param(deep(3_000, '{"a":', "}").replace(":}", ":1}"), "each value must be", id="3000 mappings"),
        pytest.param(json.dumps({"n" * 64: 1}), "a name may have 63 characters", id="a long name"),
        pytest.param(json.dumps({"a": "x" * 4_097}), "a text 4096", id="a long text"),
        pytest.param(json.dumps({"a": "x" * 1_000_000}), "a text 4096", id="a text of 1 MB"),
        pytest.param(json.dumps({"a": [1] * 257}), "a list 256 items", id="a long list"),
        pytest.param(json.dumps({"a": [1] * 100_000}), "a list 256 items", id="100000 items"),
        pytest.param(json.dumps({"a": ["x" * 17_000]}), "all names and values together", id="a long item"),
        pytest.param(
            json.dumps({f"a{n}": ["x" * 100] * 10 for n in range(20)}), "all names and values together", id="many lists"
        ),
        pytest.param(json.dumps({f"a{n}": "x" * 1_000 for n in range(20)}), "all names and", id="many texts"),
        pytest.param(json.dumps({f"a{n}": 1 for n in range(33)}), "at most 32 items", id="many names"),
    ],
)
def test_unbounded_parameters_are_rejected_by_the_api_server(create: Kubectl, parameters: str, message: str) -> None:
    answer = create("create", "--validate=false", "-f", "-", text=body(parameters))

    assert not answer.accepted
    assert message in answer.text


@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param({}, id="none"),
        pytest.param({"quality": "fast", "crop": True, "faces": 80_000, "scale": 0.5, "mask": None}, id="plain values"),
        pytest.param({"views": [1, 2.5, "left", True, None], "empty": []}, id="lists of plain values"),
        pytest.param({f"a{n}": "x" * 500 for n in range(32)}, id="just within the limits"),
    ],
)
def test_plain_parameters_are_accepted_unchanged(create: Kubectl, parameters: dict[str, Any]) -> None:
    answer = create("create", "-f", "-", "-o", "jsonpath={.spec.parameters}", text=body(json.dumps(parameters)))

    assert answer.accepted, answer.text
    assert json.loads(answer.text or "{}") == parameters
