"""compose.yaml without Docker: its commands and environment, as processes on this machine."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml
from reconstruction_operator import config

from devcluster import wait_until
from devcluster.programs.toolchain import redis_server
from devcluster.servers.ports import free_ports
from devcluster.servers.processes import Process
from devcluster.servers.runs import RunFolder
from tests.support.paths import CHECKOUT

COMPOSE: dict[str, Any] = yaml.safe_load((CHECKOUT / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]


def stage(name: str) -> str:
    """Return the instructions of one stage of the Dockerfile, and of its base stages."""
    text = (CHECKOUT / "Dockerfile").read_text()
    match = re.search(rf"^FROM (\S+) AS {name}\n(.*?)(?=^FROM |\Z)", text, re.MULTILINE | re.DOTALL)
    assert match is not None, f"the Dockerfile has no stage {name}"
    return match[2] if match[1].startswith("$") else stage(match[1]) + match[2]


def instruction(text: str, name: str) -> list[str]:
    return json.loads(re.findall(rf"^{name} (\[.*\])$", text, re.MULTILINE)[-1])


@pytest.fixture
def run() -> Iterator[RunFolder]:
    folder = RunFolder.new("compose")
    yield folder
    folder.close()


def test_the_commands_and_settings_of_compose_run_a_job(run: RunFolder, tmp_path: Path) -> None:
    port, metrics, probes = free_ports(3)
    (tmp_path / "jobs").mkdir()
    stated = {name: str(value) for name, value in SERVICES["worker"]["environment"].items()}
    here = {"redis://redis:6379": f"redis://127.0.0.1:{port}", "/jobs": f"{tmp_path}/jobs", "/photos": str(CHECKOUT)}
    settings = {
        name: next((value.replace(*each) for each in here.items() if each[0] in value), value)
        for name, value in stated.items()
    }
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "PLACEHOLDER_STEP_SECONDS": "0.1",
        "WORKER_METRICS_PORT": str(metrics),
        "WORKER_PROBE_PORT": str(probes),
        "WORKER_METRICS_HOST": "127.0.0.1",
        **settings,
    }
    command = SERVICES["redis"]["command"]
    assert command[0] == "redis-server"
    options = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(run.folder)]
    server = Process("redis", [redis_server(), *command[1:], *options], run=run)
    client = redis.Redis(port=port)

    def answers() -> bool:
        server.check()
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False

    wait_until(answers, "the Redis of compose.yaml", seen=server.log_end)
    assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    entry_point = instruction(stage("worker"), "ENTRYPOINT")
    worker = Process("worker", [*entry_point, *SERVICES["worker"]["command"]], run=run, environment=environment)

    # The command that a comment in the file recommends.
    (line,) = re.findall(
        r"^#   docker compose exec worker (python -c .*)$", (CHECKOUT / "compose.yaml").read_text(), re.MULTILINE
    )
    done = subprocess.run(
        shlex.split(line), env=environment, capture_output=True, text=True, check=False, timeout=200, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr + worker.log_end()
    assert "'status': 'completed'" in done.stdout
    assert (tmp_path / "jobs/test123/output/manifest.json").is_file()
    worker.stop()
    server.stop()
    client.close()


def test_compose_builds_the_worker_from_an_existing_stage() -> None:
    build = SERVICES["worker"]["build"]
    assert (CHECKOUT / build["context"]).resolve() == CHECKOUT
    assert instruction(stage(build["target"]), "CMD") == SERVICES["worker"]["command"]


def test_mounted_folders_exist_and_volumes_are_declared() -> None:
    sources = [volume.split(":")[0] for service in SERVICES.values() for volume in service["volumes"]]
    assert {source for source in sources if not source.startswith(".")} == set(COMPOSE["volumes"])
    assert [source for source in sources if source.startswith(".") and not (CHECKOUT / source).is_dir()] == []


def test_stop_grace_period_exceeds_the_drain() -> None:
    drain_seconds = config.Settings.DRAIN_SECONDS  # the default
    assert float(SERVICES["worker"]["stop_grace_period"].removesuffix("s")) > drain_seconds + 10
