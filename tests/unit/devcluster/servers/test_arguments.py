"""Command lines of the servers: loopback only, every client authenticates, secrets in files."""

from pathlib import Path

import pytest

from devcluster.servers import arguments
from devcluster.servers.arguments import Credentials, Ports, redis_configuration
from devcluster.servers.certificates import Pair

PORTS = Ports(etcd=20001, etcd_peer=20002, apiserver=20003)
CREDENTIALS = Credentials(
    ca=Path("/run/ca.crt"),
    etcd=Pair(certificate=Path("/run/etcd.crt"), key=Path("/run/etcd.key")),
    apiserver=Pair(certificate=Path("/run/apiserver.crt"), key=Path("/run/apiserver.key")),
    tokens=Path("/run/tokens.csv"),
    service_account_private=Path("/run/sa.key"),
    service_account_public=Path("/run/sa.pub"),
)


def flags(command: list[str]) -> dict[str, str]:
    return dict(argument.removeprefix("--").split("=", 1) for argument in command[1:])


def test_etcd_asks_its_clients_and_peers_for_a_certificate() -> None:
    found = flags(arguments.etcd(Path("etcd"), Path("/run/etcd"), PORTS, CREDENTIALS))
    assert (
        found.items()
        >= {
            "client-cert-auth": "true",
            "peer-client-cert-auth": "true",
            "trusted-ca-file": "/run/ca.crt",
            "listen-client-urls": "https://127.0.0.1:20001",
            "listen-peer-urls": "https://127.0.0.1:20002",
            "unsafe-no-fsync": "true",
        }.items()
    )


def test_the_api_server_listens_on_the_loopback_address_with_rbac() -> None:
    found = flags(arguments.apiserver(Path("kube-apiserver"), PORTS, CREDENTIALS))
    assert (
        found.items()
        >= {
            "bind-address": "127.0.0.1",
            "secure-port": "20003",
            "authorization-mode": "RBAC",
            "etcd-servers": "https://127.0.0.1:20001",
            "token-auth-file": "/run/tokens.csv",
        }.items()
    )


def test_arguments_of_the_caller_come_last_and_win() -> None:
    assert arguments.apiserver(Path("kube-apiserver"), PORTS, CREDENTIALS, ["--v=4"])[-1] == "--v=4"


def test_more_controllers_run_beside_the_usual_ones() -> None:
    command = arguments.controller_manager(Path("manager"), Path("/run/kubeconfig"), CREDENTIALS, ["job-controller"])
    assert flags(command)["controllers"] == ",".join([*arguments.CONTROLLERS, "job-controller"])


def test_the_controllers_need_no_port() -> None:
    found = flags(arguments.controller_manager(Path("manager"), Path("/run/manager.kubeconfig"), CREDENTIALS))
    assert found["secure-port"] == "0"
    assert "serviceaccount-token-controller" in found["controllers"].split(",")


def configuration(*, password: str | None = None, persistent: bool = False, extra: dict[str, str] | None = None) -> str:
    return redis_configuration(
        port=20004, folder=Path("/run/data"), password=password, persistent=persistent, extra=extra or {}
    )


def test_a_redis_writes_nothing_to_the_disk_and_refuses_to_drop_keys() -> None:
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
def test_a_redis_is_configured_as_asked(content: str, line: str) -> None:
    assert line in content.splitlines()
