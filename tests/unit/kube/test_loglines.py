"""Log lines: the job that a line is about, and what it says to a user."""

import json

import pytest
from reconstruction_operator.kube.loglines import LogEntry, sentences, uid_of


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


FIELDS = " namespace=team job=vase uid=a attempt=1 reason=Started"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(
            f"2026-12-02 19:20:42,189 INFO    reconstruction_operator.controller.transition_log: team/vase: "
            f"The spec is accepted{FIELDS}",
            "The spec is accepted",
            id="text-of-the-operator",
        ),
        pytest.param(
            "[2026-12-02 19:20:42,211: INFO/ForkPoolWorker-2] team/vase begins: model photogrammetry, "
            f"task 30b3ef46-1{FIELDS}",
            "Begins: model photogrammetry",
            id="text-of-a-worker",
        ),
        pytest.param(
            json.dumps({"level": "info", "message": "team/vase ends: Failed after 0.3 s: LOW_TEXTURE: 3 points"}),
            "Ends: Failed after 0.3 s: LOW_TEXTURE",
            id="the-operator-says-why",
        ),
        pytest.param(
            json.dumps(
                {"level": "ERROR", "message": "team/vase: crashed", "exc_info": "Traceback\n  a\nOSError: full"}
            ),
            "Error: Crashed (OSError: full)",
            id="a-traceback-is-its-last-line",
        ),
        pytest.param(
            f"[2026-12-02 19:20:54,724: INFO/ForkPoolWorker-1] Task reconstruction.process[a-1] succeeded{FIELDS}",
            "",
            id="of-celery",
        ),
        pytest.param("INFO two\n lines uid=a", "INFO two lines uid=a", id="another-format"),
        pytest.param("{" * 100_000, "{" * 4000, id="too-deep"),
        pytest.param('{"message": ["x"], "level": null}', "['x']", id="no-texts"),
    ],
)
def test_a_line_becomes_a_sentence(content: str, sentence: str) -> None:
    said = list(sentences([LogEntry.of("worker", content)], "team", "vase"))
    assert said == [sentence]


def test_nothing_is_said_twice_in_a_row_nor_by_an_event_beside_the_operator() -> None:
    entries = [
        LogEntry("event", "Succeeded: a mesh"),
        LogEntry("operator", "team/vase: Succeeded: a mesh"),
        LogEntry("operator", "Succeeded: a mesh"),
        LogEntry("event", "Step 2 of 6"),
        LogEntry("operator", "Succeeded: a mesh"),
    ]
    assert list(sentences(entries, "team", "vase")) == ["", "Succeeded: a mesh", "", "Step 2 of 6", "Succeeded: a mesh"]
