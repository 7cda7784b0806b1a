"""Log lines: the job that a line is about."""

import json

import pytest
from reconstruction_operator.kube.loglines import uid_of


@pytest.mark.parametrize(
    ("line", "uid"),
    [
        pytest.param(json.dumps({"message": "Started", "uid": "a"}), "a", id="json"),
        pytest.param(json.dumps({"message": "Started", "job_id": "a"}), "a", id="json-of-a-worker"),
        pytest.param(
            json.dumps({"message": 'file:///x","uid":"b" uid=b', "uid": "a"}), "a", id="json-with-a-forged-field"
        ),
        pytest.param(json.dumps({"message": "file:///x uid=b"}), "", id="json-without-a-field"),
        pytest.param("INFO Started namespace=team uid=a attempt=1", "a", id="text"),
        pytest.param("ERROR file:///x uid=b is missing uid=a reason=Lost", "a", id="text-with-a-forged-field"),
        pytest.param("INFO job a started", "", id="text-without-a-field"),
        pytest.param("INFO uid=", "", id="nothing-after-the-name"),
        pytest.param("{" * 100_000, "", id="too-deep"),
        pytest.param("", "", id="empty"),
    ],
)
def test_a_line_is_about_the_job_in_its_field(line: str, uid: str) -> None:
    assert uid_of(line) == uid
