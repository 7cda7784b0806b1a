"""Command line: `python -m devcluster` starts, shows and stops a standing cluster."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

import devcluster
from devcluster import commands, wait_until
from devcluster.servers.pids import start_mark

_ROOT = Path(devcluster.__file__).parent.parent


class Hand:
    """Runs commands with a separate folder for runs, where nothing runs yet."""

    def __init__(self, temporary: Path) -> None:
        self.temporary = temporary

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "devcluster", *arguments]
        return commands.run(command, check=False, environment={"TMPDIR": str(self.temporary)}, folder=_ROOT)

    def launcher(self) -> int:
        return int(self.run("status").stderr.partition("process ")[2].split()[0])

    def servers(self) -> list[int]:
        """Return every process with that folder in its command line."""
        pids = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if os.fsencode(self.temporary / "reconstruction-operator") in command:
                pids.append(int(folder.name))
        return pids


@pytest.fixture
def hand(control_plane_programs: None, tmp_path: Path) -> Iterator[Hand]:
    hand = Hand(tmp_path)
    yield hand
    stopped = hand.run("stop")
    assert stopped.returncode == 0, stopped.stderr
    wait_until(lambda: not hand.servers(), "the end of every server", seen=hand.servers)


def exported(text: str) -> dict[str, str]:
    lines = [shlex.split(line) for line in text.splitlines()]
    assert {line[0] for line in lines} == {"export"}
    return dict(line[1].split("=", 1) for line in lines)


@pytest.mark.release
def test_standing_cluster_serves_until_it_is_killed_or_stopped(hand: Hand) -> None:
    started = hand.run("start", "--detach")
    assert started.returncode == 0, started.stderr
    settings = exported(started.stdout)
    assert [*settings] == ["KUBECONFIG", "CELERY_BROKER_URL", "CELERY_RESULT_BACKEND", "REDIS_STATE_DB"]
    with redis.Redis.from_url(settings["REDIS_STATE_DB"]) as connection:
        assert connection.ping()
    kubectl = started.stderr.partition("kubectl: ")[2].strip()
    output = commands.run([kubectl, "get", "namespace", "default", "-o", "name"], environment=settings)
    assert output.stdout == "namespace/default\n"

    assert exported(hand.run("status").stdout) == settings
    again = hand.run("start", "--detach")
    assert (again.returncode, exported(again.stdout)) == (0, settings)

    launcher = hand.launcher()
    mark = start_mark(launcher)
    os.kill(launcher, signal.SIGKILL)
    wait_until(
        lambda: start_mark(launcher) != mark and not hand.servers(),
        "the end of launcher and servers",
        seen=hand.servers,
    )
    assert hand.run("status").returncode == 3

    again = hand.run("start", "--detach")
    assert again.returncode == 0, again.stderr
    assert hand.launcher() != launcher
    stopped = hand.run("stop")
    assert stopped.stderr.startswith("stopped the cluster of process ")
    assert hand.servers() == []
    assert hand.run("status").returncode == 3
    assert sorted(path.name for path in (hand.temporary / f"reconstruction-operator-{os.getuid()}").iterdir()) == [
        "lock",
        "standing.lock",
        "standing.log",
    ]
