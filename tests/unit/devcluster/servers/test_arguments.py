"""Command lines of the servers: loopback addresses, and what a caller adds."""

from pathlib import Path

import pytest

from devcluster.servers import arguments
from devcluster.servers.arguments import Ports, redis_configuration

PORTS = Ports(etcd=20001, etcd_peer=20002, apiserver=20003)
FOLDER = Path("/run/cluster")


def flags(command: list[str]) -> dict[str, str]:
    return dict(argument.removeprefix("--").split("=", 1) for argument in command)


def test_servers_listen_on_the_loopback_address_and_authenticate_clients() -> None:
    etcd = flags(arguments.etcd(FOLDER, PORTS))
    apiserver = flags(arguments.apiserver(FOLDER, PORTS))
    assert (etcd["client-cert-auth"], etcd["peer-client-cert-auth"]) == ("true", "true")
    assert etcd["listen-client-urls"] == "https://127.0.0.1:20001"
    assert etcd["listen-peer-urls"] == "https://127.0.0.1:20002"
    assert (apiserver["bind-address"], apiserver["authorization-mode"]) == ("127.0.0.1", "RBAC")
    assert flags(arguments.controller_manager(FOLDER))["secure-port"] == "0"


def test_arguments_of_the_caller_come_last_and_win() -> None:
    assert arguments.apiserver(FOLDER, PORTS, ["--v=4"])[-1] == "--v=4"


def test_more_controllers_run_beside_the_usual_ones() -> None:
    command = arguments.controller_manager(FOLDER, ["job-controller"])
    assert flags(command)["controllers"] == ",".join([*arguments.CONTROLLERS, "job-controller"])


def configuration(*, password: str | None = None, persistent: bool = False, extra: dict[str, str] | None = None) -> str:
    return redis_configuration(
        port=20004, folder=Path("/run/data"), password=password, persistent=persistent, extra=extra or {}
    )


def test_redis_writes_nothing_to_the_disk_and_evicts_no_keys() -> None:
    assert configuration().splitlines() == [
        "bind 127.0.0.1",
        "port 20004",
        'dir "/run/data"',
        "daemonize no",
        'save ""',
        "appendonly no",
        "appendfsync no",
        "maxmemory-policy noeviction",
    ]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        pytest.param(configuration(persistent=True), "appendonly yes", id="persistence"),
        pytest.param(configuration(password='a "b" \\'), r'requirepass "a \"b\" \\"', id="a password is quoted"),
        pytest.param(configuration(extra={"maxmemory": "1mb"}), "maxmemory 1mb", id="another setting"),
        pytest.param(configuration(extra={"appendonly": "yes"}), "appendonly yes", id="a setting instead of ours"),
    ],
)
def test_redis_configuration_has_the_requested_line(content: str, line: str) -> None:
    assert line in content.splitlines()
