"""Redis of the chart and of manifests/complete: command and probe, with a real server."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml

from devcluster.programs.helm import helm
from devcluster.programs.toolchain import redis_server
from devcluster.waiting import wait_until
from tests.real.security.redis_users import ACL, chart_user, rules
from tests.support.paths import CHART, CHECKOUT

PASSWORD = """ "a" 'b' \\c \\" $HOME $(id) `id` #d %s é
EOF
protected-mode no """
SIDES = ("operator", "worker", "client")
START_SECONDS = 60


@dataclass(frozen=True)
class Server:
    """A server that is started as the kubelet starts it."""

    process: subprocess.Popen[bytes]
    socket: Path
    container: dict[str, Any]


def container(source: str) -> dict[str, Any]:
    text = (CHECKOUT / "manifests" / "complete" / "redis.yaml").read_text()
    if source == "chart":
        text = helm("template", "r", CHART, "--show-only", "templates/redis/redis.yaml").stdout
    workload = next(document for document in yaml.safe_load_all(text) if document["kind"] == "StatefulSet")
    (redis_container,) = workload["spec"]["template"]["spec"]["containers"]
    return dict(redis_container)


def command(container: dict[str, Any], folder: Path) -> list[str]:
    """Return the command as the kubelet expands it, with folders of this machine."""
    words = [*container["command"], *container["args"]]
    places = {"$(REDISCLI_AUTH)": PASSWORD, "/data": str(folder), "/users/": f"{ACL}/"}
    for place, here in places.items():
        words = [word.replace(place, here) for word in words]
    return words


def environment(password: str, *folders: Path) -> dict[str, str]:
    path = os.pathsep.join([*map(str, folders), str(redis_server().parent), os.environ["PATH"]])
    others = {f"{side.upper()}_PASSWORD": f"{password}{side}" if password else "" for side in SIDES}
    return os.environ | {"PATH": path, "REDISCLI_AUTH": password} | others


@pytest.fixture(params=["chart", "manifests"])
def source(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(source: str, tmp_path: Path) -> Iterator[Server]:
    started, path = container(source), tmp_path / "redis.sock"
    # Otherwise Redis would overwrite its command line, which other users could have read before.
    options = ["--port", "0", "--unixsocket", str(path), "--set-proc-title", "no"]
    process = subprocess.Popen([*command(started, tmp_path), *options], env=environment(PASSWORD))
    try:
        wait_until(lambda: process.poll() is not None or path.is_socket(), "the server to listen")
        yield Server(process, path, started)
    finally:
        process.terminate()
        process.wait(START_SECONDS)


@pytest.fixture
def client(server: Server) -> Iterator[redis.Redis]:
    with redis.Redis(unix_socket_path=str(server.socket), password=PASSWORD, decode_responses=True) as connected:
        yield connected


def test_the_password_may_contain_any_character(server: Server, client: redis.Redis) -> None:
    with redis.Redis(unix_socket_path=str(server.socket)) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()

    assert client.ping()


@pytest.mark.parametrize("side", SIDES)
def test_each_side_has_a_user_with_its_own_password_and_rights(server: Server, client: redis.Redis, side: str) -> None:
    name = f"reconstruction-{side}"
    with redis.Redis(unix_socket_path=str(server.socket), username=name, password=f"{PASSWORD}{side}") as own:
        assert own.ping()
        with pytest.raises(redis.exceptions.NoPermissionError):
            own.execute_command("KEYS", "*")
    other = redis.Redis(unix_socket_path=str(server.socket), username=name, password=PASSWORD)
    with other, pytest.raises(redis.AuthenticationError):
        other.ping()


def test_a_side_has_the_rules_of_its_file_for_the_queues_and_the_prefix_of_the_release() -> None:
    options = ("--set", "settings.REDIS_KEY_PREFIX=ours:", "--set", "redis.auth.queues={large}")
    for side in SIDES:
        line = chart_user(side, "x", *options).split()
        assert sorted(line[3:-1]) == sorted([*rules(side, prefix="ours:"), "~ours:large*"])


def test_the_password_is_in_no_argument(server: Server) -> None:
    line = Path(f"/proc/{server.process.pid}/cmdline").read_bytes().decode()

    assert line.startswith("redis-server\0")  # exec replaced the shell: signals reach the server
    assert "noeviction" in line
    assert PASSWORD not in line
    assert "user" not in line


@pytest.mark.parametrize(("password", "ready"), [(PASSWORD, True), ("another", False)])
def test_the_probe_authenticates_with_the_password(server: Server, tmp_path: Path, password: str, ready: bool) -> None:
    there = tmp_path / "redis-cli"
    there.write_text(f'#!/bin/sh\nexec "{redis_server().parent / "redis-cli"}" -s "{server.socket}" "$@"\n')
    there.chmod(0o755)

    done = subprocess.run(
        server.container["readinessProbe"]["exec"]["command"], env=environment(password, tmp_path), check=False
    )

    assert (done.returncode == 0) is ready


def test_redis_does_not_start_without_a_password(source: str, tmp_path: Path) -> None:
    done = subprocess.run(
        command(container(source), tmp_path),
        env=environment(""),
        capture_output=True,
        check=False,
        timeout=START_SECONDS,
    )

    assert done.returncode != 0
    assert b"there is no password" in done.stderr


def test_redis_evicts_no_key_and_persists_writes(client: redis.Redis) -> None:
    memory = client.info("memory")

    assert (memory["maxmemory"], memory["maxmemory_policy"]) == (256 * 1024**2, "noeviction")
    assert client.info("persistence")["aof_enabled"] == 1


@pytest.mark.parametrize(
    "command",
    [
        "FLUSHALL",
        "CONFIG SET dir /tmp",
        "KEYS *",
        "MODULE LIST",
        "REPLICAOF a 1",
        "ACL SETUSER a on nopass",
        "SHUTDOWN",
    ],
)
def test_the_password_opens_no_command_of_administrators(client: redis.Redis, command: str) -> None:
    with pytest.raises(redis.exceptions.NoPermissionError):
        client.execute_command(*command.split())


def test_operator_and_workers_need_no_command_of_administrators(client: redis.Redis) -> None:
    needed = {rule[1:].partition("|")[0] for side in ("operator", "worker") for rule in rules(side) if rule[0] == "+"}
    connection = client.connection_pool.get_connection()
    connection.send_command("COMMAND")
    refused = {name for name, *more in connection.read_response() if {"@admin", "@dangerous"} & set(more[5])}
    assert needed & refused == {"info"}
