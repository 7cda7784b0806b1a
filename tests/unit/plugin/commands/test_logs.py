"""`logs`: selection and format of lines, and following of a job to a later pod."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from kubectl_recon.commands import logs
from kubectl_recon.commands.logs import Shown, is_about, readable
from kubectl_recon.gallery.reaching import Way
from kubectl_recon.kube.api import Api, Connection

from tests.support.plugin import job

if TYPE_CHECKING:
    from tests.unit.plugin.conftest import Server

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


def test_a_json_line_is_shown_as_text() -> None:
    text = readable(line(exception="Traceback"), "2026-03-01T12:00:01.5Z", "worker-0")
    assert text == "12:00:01 INFO    worker-0 team/banana: Started\nTraceback"
    assert readable("plain", "2026-03-01T12:00:01Z", "worker-0") == "12:00:01 worker-0 plain"


@dataclass
class Pods:
    """An API server with one job and pods with logs. `looks`: how often the job was requested."""

    logs: dict[str, list[str]] = field(default_factory=dict)
    looks: int = 0

    def respond(self, address: str) -> tuple[int, bytes]:
        path = address.partition("?")[0]
        if path.endswith("/pods"):
            bodies = [{"metadata": {"name": name}, "spec": {"containers": [{"name": "worker"}]}} for name in self.logs]
            return 200, json.dumps({"items": bodies, "metadata": {}}).encode()
        if path.endswith("/log"):
            lines = self.logs[path.split("/")[-2]]
            return (200, "".join(f"{line}\n" for line in lines).encode()) if lines else (400, b"{}")
        self.looks += 1
        if self.looks == 3:  # the job moves to a pod that is still starting
            self.logs["later"] = []
        if self.looks == 5:
            self.logs["later"] = [f"2026-03-01T12:00:03Z {line(uid=JOB.uid, message='from the later pod')}"]
        phase = "Succeeded" if self.looks > 9 else "Running"
        return 200, json.dumps(JOB.raw | {"status": {"phase": phase}}).encode()


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (Shown.SHORT, ["12:00:01  worker    From the first pod", "12:00:03  worker    From the later pod"]),
        (Shown.WIDE, ["12:00:01 INFO    first from the first pod", "12:00:03 INFO    later from the later pod"]),
    ],
)
def test_a_job_is_followed_to_a_pod_that_starts_later(
    api: Api, server: Server, capsys: pytest.CaptureFixture[str], shown: Shown, expected: list[str]
) -> None:
    first = [
        f"2026-03-01T12:00:01Z {line(uid=JOB.uid, message='from the first pod')}",
        f"2026-03-01T12:00:02Z {line(uid='another')}",
    ]
    server.respond = Pods({"first": first}).respond

    connection = Connection(api, "here", "team")
    assert logs.run(connection, "banana", Way(), follow=True, shown=shown, pause_seconds=0.05) == 0

    output = capsys.readouterr()
    assert output.out.splitlines() == expected
    assert output.err == ""


def test_no_escape_reaches_the_terminal() -> None:
    """Models write some of the lines."""
    hostile = "a\x1b]52;c;eA==\x07\x1b[2J"
    text = readable(line(message=hostile, exception=f"Traceback\n\t{hostile}"), "2026-03-01T12:00:01Z", "worker-0")
    assert not re.search(r"[^\n\x20-\x7e\ufffd]", text)
    assert len(text.splitlines()) == 3
