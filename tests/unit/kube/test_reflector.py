"""Reflector: what it requests after each response, and objects that cannot be read."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator, Mapping
from typing import Any

import pytest
from reconstruction_operator.kube import reflector as module
from reconstruction_operator.kube.errors import ApiError
from reconstruction_operator.kube.reflector import Change, Lines, Reflector, follow

from tests.support.jobs import make_body


class Jobs:
    """Applies changes. An object of the name `hostile` cannot be applied."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.lists = 0

    def apply(self, change: Change) -> None:
        if change.key is None:
            self.lists += 1
        elif change.deleted:
            self.names.remove(change.key.name)
        elif change.key.name == "hostile":
            raise RecursionError
        else:
            self.names.add(change.key.name)


@pytest.fixture
def jobs() -> Jobs:
    return Jobs()


@pytest.fixture
def reflector(jobs: Jobs) -> Reflector:
    return Reflector("/apis/x", jobs.apply, selection={"labelSelector": "a=b"})


def page(*names: str, version: int = 5, more: str = "") -> bytes:
    metadata = {"resourceVersion": str(version), "continue": more}
    return json.dumps({"metadata": metadata, "items": [make_body(name) for name in names]}).encode()


def event(kind: str, body: Mapping[str, Any]) -> bytes:
    return json.dumps({"type": kind, "object": body}).encode()


def test_a_watch_begins_at_the_version_of_the_first_page(reflector: Reflector, jobs: Jobs) -> None:
    assert reflector.query == {"limit": "50", "labelSelector": "a=b"}
    reflector.page(page("a", more="next"))
    assert reflector.query["continue"] == "next"
    assert jobs.lists == 0

    reflector.page(page("b", version=7))

    assert (reflector.listing, jobs.names, jobs.lists) == (False, {"a", "b"}, 1)
    assert {"watch": "1", "resourceVersion": "5", "labelSelector": "a=b"}.items() <= reflector.query.items()


def test_a_watch_continues_from_the_newest_version(reflector: Reflector, jobs: Jobs) -> None:
    reflector.page(page("a"))
    reflector.line(event("ADDED", make_body("b", version=8)))
    reflector.line(event("DELETED", make_body("a", version=9)))
    assert (jobs.names, reflector.query["resourceVersion"]) == ({"b"}, "9")

    reflector.line(event("BOOKMARK", {"metadata": {"resourceVersion": "12"}}))

    assert reflector.query["resourceVersion"] == "12"


def test_a_new_list_deletes_what_it_does_not_contain(reflector: Reflector, jobs: Jobs) -> None:
    reflector.page(page("a", "b"))
    reflector.failed(ApiError(410, "Expired", "too old"))
    assert reflector.listing

    reflector.page(page("b", "c"))

    assert (jobs.names, jobs.lists) == ({"b", "c"}, 2)


def test_an_error_event_is_an_error_with_its_status(reflector: Reflector) -> None:
    reflector.page(page())

    with pytest.raises(ApiError, match="too old") as expired:
        reflector.line(event("ERROR", {"kind": "Status", "code": 410, "message": "too old"}))

    assert expired.value.status == 410


def test_a_lost_connection_continues_the_watch(reflector: Reflector) -> None:
    reflector.page(page())

    reflector.failed(ApiError(0, "ClientError", "connection reset"))

    assert reflector.query["resourceVersion"] == "5"


def test_pauses_grow_until_a_list_is_complete(reflector: Reflector) -> None:
    pauses = [reflector.failed(ApiError(503, "", "starting")) for _ in range(20)]
    assert pauses[0] <= 0.5 < pauses[5]
    assert max(pauses) <= 5

    reflector.page(page())

    assert reflector.failed(ApiError(503, "", "starting")) <= 0.5


def test_an_object_that_cannot_be_read_is_skipped_logged_and_counted(
    reflector: Reflector, jobs: Jobs, caplog: pytest.LogCaptureFixture
) -> None:
    reflector.page(page("a", "hostile", "b"))
    reflector.line(event("MODIFIED", make_body("hostile", version=8)))
    reflector.line(b"not an event")
    reflector.line(event("ADDED", make_body("c", version=9)))

    assert (jobs.names, reflector.skipped) == ({"a", "b", "c"}, 3)
    assert [record.getMessage() for record in caplog.records][:2] == [
        "default/hostile cannot be read and is skipped (1 so far)",
        "default/hostile cannot be read and is skipped (2 so far)",
    ]


def test_lines_are_put_together_and_long_ones_are_cut() -> None:
    lines = Lines(max_bytes=4)

    whole = [line for chunk in (b"a\nb", b"c\n", b"", b"1234", b"56\n7") for line in lines.add(chunk)]

    assert whole == [b"a", b"bc", b"1234"]
    assert list(lines.end()) == [b"7"]


class Server:
    """Sends the responses in turn, and closes the follower after the last."""

    def __init__(self, *responses: bytes | Exception) -> None:
        self.responses = list(responses)
        self.asked: list[Mapping[str, str]] = []
        self.closed = threading.Event()

    def read(self, path: str, query: Mapping[str, str], max_bytes: int) -> bytes:
        assert (path, max_bytes > 1 << 20) == ("/apis/x", True)
        self.asked.append(query)
        return self._next()

    def chunks(self, path: str, query: Mapping[str, str], silence_seconds: float) -> Generator[bytes, None, None]:
        assert (path, silence_seconds) == ("/apis/x", module.SILENCE_SECONDS)
        self.asked.append(query)
        yield self._next() + b"\n"

    def _next(self) -> bytes:
        response = self.responses.pop(0)
        if not self.responses:
            self.closed.set()
        if isinstance(response, Exception):
            raise response
        return response


def test_any_error_is_followed_by_a_new_list(jobs: Jobs, caplog: pytest.LogCaptureFixture) -> None:
    reflector = Reflector("/apis/x", jobs.apply, first_pause_seconds=0.0)
    server = Server(page("a"), RuntimeError("a defect"), page("a", "b"), event("DELETED", make_body("a")), b"")

    follow(server, reflector, server.closed)

    assert jobs.names == {"b"}
    assert ["watch" in query for query in server.asked] == [False, True, False, True, True]
    assert "a defect" in caplog.text


def test_a_final_error_ends_the_follower() -> None:
    final = Reflector("/apis/x", lambda _: None, final=lambda error: error.status == 403)
    server = Server(ApiError(403, "Forbidden", "you may not"))

    with pytest.raises(ApiError, match="you may not"):
        follow(server, final, server.closed)


def test_a_connection_that_ends_after_the_follower_was_closed_is_not_logged(
    reflector: Reflector, caplog: pytest.LogCaptureFixture
) -> None:
    server = Server(page("a"), ApiError(0, "", "refused"))

    follow(server, reflector, server.closed)

    assert caplog.text == ""
