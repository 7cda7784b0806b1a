"""The Redis of the chart: its arguments, given to a real server."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import yaml

from devcluster.helm import helm
from devcluster.toolchain import redis_server
from devcluster.waiting import wait_until

pytestmark = pytest.mark.real

CHART = Path(__file__).resolve().parents[3] / "charts" / "reconstruction-operator"
PASSWORD = "abcXYZ123"


def arguments(folder: Path) -> list[str]:
    """As the kubelet would give them, with a folder of this machine."""
    made = yaml.safe_load(
        helm("template", "r", CHART, "--show-only", "templates/redis/redis.yaml").stdout.split("---\n")[-1]
    )
    (container,) = made["spec"]["template"]["spec"]["containers"]
    return [one.replace("$(REDISCLI_AUTH)", PASSWORD).replace("/data", str(folder)) for one in container["args"]]


@pytest.fixture
def client(tmp_path: Path) -> Iterator[redis.Redis]:
    path = tmp_path / "redis.sock"
    process = subprocess.Popen([redis_server(), *arguments(tmp_path), "--port", "0", "--unixsocket", path])
    try:
        wait_until(path.is_socket, "the server to listen")
        with redis.Redis(unix_socket_path=str(path), password=PASSWORD, decode_responses=True) as one:
            yield one
    finally:
        process.terminate()
        process.wait(60)


def test_it_asks_for_the_password(client: redis.Redis, tmp_path: Path) -> None:
    with (
        redis.Redis(unix_socket_path=str(tmp_path / "redis.sock")) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()

    assert client.ping()


def test_it_keeps_everything(client: redis.Redis) -> None:
    found = {**client.config_get("maxmemory*"), **client.config_get("appendonly")}

    assert found["appendonly"] == "yes"
    assert found["maxmemory-policy"] == "noeviction"
    assert found["maxmemory"] == str(256 * 1024**2)
