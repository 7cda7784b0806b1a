"""Messages of the API server for bad manifests. The table is `tests/data/bad_manifests.yaml`."""

import pytest
import yaml

from devcluster.harness.kubectl import Kubectl
from tests.support.paths import DATA

_TABLE = yaml.safe_load((DATA / "bad_manifests.yaml").read_text(encoding="utf-8"))
_LEAST = 30


def test_the_table_is_long_enough_and_names_each_case_once() -> None:
    assert len({case["id"] for case in _TABLE}) == len(_TABLE) >= _LEAST


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in _TABLE])
def test_kubectl_apply_of_a_bad_manifest_is_rejected_with_its_message(
    kubectl: Kubectl, case: dict[str, object]
) -> None:
    answer = kubectl("apply", "-f", "-", text=str(case["manifest"]))

    assert not answer.accepted
    assert [line for line in case["said"] if line not in answer.text] == [], answer.text  # type: ignore[attr-defined]
    assert "secret" not in answer.text
    # With several messages kubectl writes a line for each; the last may be about the rules that were not checked.
    messages = [line for line in answer.text.splitlines() if line.startswith("* ") and "<nil>" not in line]
    assert len(messages) in (0, len(case["said"])), answer.text
