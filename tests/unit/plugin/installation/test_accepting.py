"""What workers would refuse, with what the user may have meant."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from kubectl_recon.installation.accepting import problem
from reconstruction_operator.contract.info import InstallationInfo, Workers
from reconstruction_operator.contract.installation import Installation

QUALITY = {"properties": {"quality": {"enum": ["fast", "high"]}}, "additionalProperties": False}
CPU = Workers(("celery",), 2, {"photogrammetry": {"version": "1", "parameters": QUALITY}})
GPU = Workers(("gpu-large",), 1, {"splats": {"version": "1"}})
INFO = InstallationInfo(workers=(CPU, GPU), pools=("celery", "sleeping"), schemes=("s3",), complete=True)


def problem_of(info: InstallationInfo = INFO, uri: str = "file:///photos/vase", **spec: Any) -> str:
    return problem(Installation(info), {"input": {"uri": uri}, **spec})


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"queue": "gpu-larg"}, "no workers for queue gpu-larg: did you mean gpu-large?"),
        ({"modelType": "photogrametry"}, "has model photogrametry: did you mean photogrammetry?"),
        ({"modelType": "splats"}, "it is in queue gpu-large (--queue)"),
        ({"parameters": {"qualty": "fast"}}, "unknown parameter 'qualty': did you mean quality?"),
        ({"parameters": {"quality": "fsat"}}, "allowed is one of fast, high"),
        ({"uri": "gs://scans/vase/"}, "gs:// is not enabled here"),
        ({"output": {"uri": "s3://meshes"}}, "the bucket itself cannot be used"),
    ],
)
def test_a_mistake_is_named_with_what_may_be_meant(spec: dict[str, Any], words: str) -> None:
    assert words in problem_of(**spec)


@pytest.mark.parametrize(
    ("info", "spec"),
    [
        (INFO, {"parameters": {"quality": "fast"}}),
        (INFO, {"queue": "sleeping", "modelType": "unknown"}),  # a pool that is scaled to zero
        (replace(INFO, workers=(CPU, Workers(("celery",), 1))), {"modelType": "unknown"}),  # it announced none
        (replace(INFO, problems=("RedisUnreachable",)), {"queue": "gone"}),
        (replace(INFO, complete=False), {"queue": "gone"}),
    ],
)
def test_what_is_unknown_is_not_refused(info: InstallationInfo, spec: dict[str, Any]) -> None:
    assert problem_of(info, **spec) == ""
    assert problem(Installation(missing="nothing is published"), {"queue": "gone"}) == ""
