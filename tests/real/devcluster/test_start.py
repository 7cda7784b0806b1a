"""Start of servers: with taken ports, and with errors that name the cause."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

import devcluster
from devcluster.servers.ports import free_ports
from devcluster.servers.processes import Process
from devcluster.servers.runs import RunFolder


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


class LostOnce:
    """Returns free ports, but the last port of the first call is taken."""

    def __init__(self, taken: int) -> None:
        self._taken: list[int] = [taken]

    def __call__(self, count: int) -> list[int]:
        return [*free_ports(count - len(self._taken)), *(self._taken.pop() for _ in self._taken[:])]


@pytest.mark.usefixtures("control_plane_programs")
def test_cluster_with_a_taken_port_chooses_others(taken_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devcluster.servers.cluster.free_ports", LostOnce(taken_port))
    with devcluster.Cluster() as cluster:
        assert cluster.url != f"https://127.0.0.1:{taken_port}"
        assert cluster.api.get("/readyz") == "ok"


def test_redis_with_a_taken_port_chooses_another(taken_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devcluster.servers.server.free_ports", LostOnce(taken_port))
    with devcluster.Redis() as server:
        assert server.port != taken_port


def test_error_has_the_log_of_a_server_that_rejects_its_settings() -> None:
    with pytest.raises(devcluster.ServerEndedError, match="maxmemory-policy"):
        devcluster.Redis(configuration={"maxmemory-policy": "whatever"}).start()


@pytest.mark.usefixtures("control_plane_programs")
def test_cluster_that_rejects_a_flag_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Process] = []

    class Seen(Process):
        def __init__(self, *args: Any, **named: Any) -> None:
            super().__init__(*args, **named)
            started.append(self)

    monkeypatch.setattr("devcluster.servers.running.Process", Seen)
    with pytest.raises(devcluster.ServerEndedError, match="unknown flag: --no-such-flag"):
        devcluster.Cluster(apiserver_arguments=["--no-such-flag"]).start()
    assert [process.name for process in started] == ["etcd", "kube-apiserver"]
    assert [process.name for process in started if process.alive] == []
    assert not any(process.log.exists() for process in started)


def test_error_names_a_missing_program() -> None:
    run = RunFolder.new("test")
    missing = run.folder / "no-such-program"
    process = Process("server", [missing], run=run)
    process._wait()
    with pytest.raises(devcluster.ServerEndedError, match="no-such-program: No such file or directory"):
        process.check()
    run.close()
