"""Server-sent events: the jobs that a user may see, and their changes."""

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from devcluster.harness.gallery import Gallery
from devcluster.harness.jobs import Jobs
from devcluster.waiting import wait_until
from tests.real.gallery.conftest import MakeUser


class Listener:
    """The events of a stream so far."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.history: list[tuple[str, str, int]] = []
        self.kinds: list[str] = []

    def take(self, kind: str, data: Any) -> None:
        self.kinds.append(kind)
        if kind == "jobs":
            self.rows |= {row["uid"]: row for row in data}
            self.history += [(row["name"], row["phase"], row["percent"]) for row in data]
        if kind == "removed":
            for uid in data:
                del self.rows[uid]

    @property
    def names(self) -> set[str]:
        return {row["name"] for row in self.rows.values()}


@contextmanager
def listening(gallery: Gallery, token: str) -> Iterator[Listener]:
    listener = Listener()
    with closing(http.client.HTTPConnection("127.0.0.1", gallery.port, timeout=60)) as connection:
        connection.request("GET", "/api/events", headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")

        def read() -> None:
            kind = ""
            while line := answer.readline().decode().strip("\n") if not answer.closed else "":
                kind = line.removeprefix("event: ") if line.startswith("event: ") else kind
                if line.startswith("data: "):
                    listener.take(kind, json.loads(line.removeprefix("data: ")))
                    answer.readline()

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        yield listener
        assert connection.sock is not None
        connection.sock.shutdown(2)
        thread.join(10)
        assert not thread.is_alive()


def test_the_stream_has_the_progress_of_a_running_job(gallery: Gallery, jobs: Jobs, make_user: MakeUser) -> None:
    with listening(gallery, make_user("viewer")) as listener:
        wait_until(lambda: "synced" in listener.kinds, "the first list")
        name = jobs.create()

        jobs.wait_phase(name, "Succeeded")
        wait_until(lambda: (name, "Succeeded", 100) in listener.history, "the end", seen=lambda: listener.history)

        moved = {percent for one, phase, percent in listener.history if (one, phase) == (name, "Running")}
        assert len(moved) >= 2
        jobs.delete(name)
        wait_until(lambda: name not in listener.names, "the deletion")
