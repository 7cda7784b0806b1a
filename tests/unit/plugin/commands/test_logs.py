import json

import pytest
from kubectl_recon.commands.logs import is_about, readable

from tests.support.plugin import job

JOB = job("banana", metadata={"uid": "3f6c0000-1111-2222-3333-444455556666"})


def line(**fields: object) -> str:
    return json.dumps({"level": "INFO", "message": "team/banana: Started", **fields})


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (line(uid=JOB.uid), True),
        (line(uid="another", namespace="team", job="banana"), False),  # an earlier job of the same name
        (line(job_id=JOB.uid), True),
        (line(namespace="team", job="banana"), True),
        (line(namespace="team", job="banana-2"), False),
        (line(), False),
        (f"INFO team/banana: Started uid={JOB.uid}", True),
        ("INFO team/banana: Started", True),
        ("INFO team/banana-2: Started", False),
        ("{not json", False),
    ],
)
def test_only_lines_about_the_job_are_shown(content: str, expected: bool) -> None:
    assert is_about(content, JOB) == expected


def test_a_line_of_json_is_shown_as_text() -> None:
    shown = readable(line(exception="Traceback"), "2026-03-01T12:00:01.5Z", "worker-0")
    assert shown == "12:00:01 INFO    worker-0 team/banana: Started\nTraceback"
    assert readable("plain", "2026-03-01T12:00:01Z", "worker-0") == "12:00:01 worker-0 plain"
