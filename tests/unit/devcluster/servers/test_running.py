"""Running servers: ends in reverse order, and nothing left after an error."""

import tempfile
from pathlib import Path

import pytest

from devcluster.errors import DevclusterError, ServerEndedError
from devcluster.servers.running import Running

TAKEN = ServerEndedError("server", 1, "listen: address already in use")


class Server(Running):
    """Raises one of the errors at each start."""

    name = "server"
    url: str

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self.ended: list[str] = []

    def _start(self) -> None:
        for end in ("first", "second"):
            self.at_end(lambda end=end: self.ended.append(end))  # type: ignore[misc]
        if self._errors:
            raise self._errors.pop(0)
        self.url = "http://127.0.0.1"


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_stop_ends_the_last_part_first_and_removes_the_folder() -> None:
    with Server() as server:
        assert server.folder.exists()
    assert (server.ended, server.folder.exists()) == (["second", "first"], False)


def test_error_at_the_start_leaves_nothing() -> None:
    server = Server(ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        server.start()
    assert (server.ended, server.folder.exists()) == (["second", "first"], False)


@pytest.mark.parametrize("taken", [1, 4])
def test_start_is_repeated_while_a_port_is_taken(taken: int) -> None:
    with Server(*[TAKEN] * taken) as server:
        assert server.ended == ["second", "first"] * taken


def test_start_fails_after_five_taken_ports() -> None:
    with pytest.raises(ServerEndedError, match="address already in use"):
        Server(*[TAKEN] * 5).start()


def test_attributes_of_the_start_do_not_exist_before_it() -> None:
    with pytest.raises(AttributeError, match=r"Server\.start\(\) has not set url"):
        _ = Server().url


def test_running_server_cannot_be_started_again() -> None:
    with Server() as server, pytest.raises(DevclusterError, match="server has been started already"):
        server.start()


def test_stopped_server_can_be_started_again() -> None:
    server = Server()
    server.stop()
    for _ in range(2):
        with server:
            assert server.url
