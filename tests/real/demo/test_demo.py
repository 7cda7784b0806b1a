"""Demo as a user runs it: from the command line to the last file."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import devcluster
from devcluster import wait_until
from devcluster.programs.building import built
from devcluster.servers.control_plane import write_kubeconfig
from devcluster.servers.ports import free_ports
from tests.support.paths import CHECKOUT

MESH_SECONDS = 900  # a minute on an idle machine
pytestmark = pytest.mark.long

MARK = "DEMO_TEST_MARK"  # in the environment of everything that the demo starts


class Demo:
    """A run of the demo, with its output."""

    def __init__(self, output: Path, *arguments: str | Path, **environment: str) -> None:
        self.output = output
        self.mark = uuid.uuid4().hex
        self.process = subprocess.Popen(
            [sys.executable, "-m", "demo", "--output", output, *arguments],
            cwd=CHECKOUT,
            env=os.environ | {MARK: self.mark, "BROWSER": "true"} | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as out:
            for line in out:
                self.lines.append(line.rstrip("\n"))

    def output_text(self) -> str:
        return "\n".join(self.lines)

    def wait(self, timeout_seconds: float) -> int:
        status = self.process.wait(timeout_seconds)
        self._reader.join()
        return status

    def left(self) -> list[str]:
        """Return the processes of the demo that still run."""
        matches = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and f"{MARK}={self.mark}".encode() in (entry / "environ").read_bytes():
                    matches.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:  # the process has ended, or belongs to another user
                continue
        return matches

    def close(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.wait(120)


@pytest.fixture
def demo(tmp_path: Path, control_plane_programs: None) -> Iterator[Callable[..., Demo]]:
    """A function that starts a demo, which ends after the test."""
    started: list[Demo] = []

    def start(*arguments: str | Path, **environment: str) -> Demo:
        started.append(Demo(tmp_path / "demo-output", *arguments, **environment))
        return started[-1]

    yield start
    start("--stop").wait(120)
    for each in started:
        each.close()


@pytest.mark.release
@pytest.mark.timeout(MESH_SECONDS + 200)
def test_demo_makes_a_mesh_shows_it_and_cancels_a_job_on_the_users_cluster(
    demo: Callable[..., Demo], control_plane_programs: None
) -> None:
    with devcluster.Cluster() as users:
        before = users.kubectl("get", "namespaces,crds", "-o", "name").stdout
        run = demo("--open", "--kubeconfig", users.kubeconfig)
        opened = r"(?s)^(http://127\S+)$.*Press Ctrl-C"
        match = wait_until(
            lambda: re.search(opened, run.output_text(), re.MULTILINE),
            "the page of the mesh",
            timeout_seconds=MESH_SECONDS,
            seen=run.output_text,
        )
        with urllib.request.urlopen(match[1]) as page:  # noqa: S310 -- of this machine
            assert b"model-viewer" in page.read()
        run.process.send_signal(signal.SIGINT)
        assert run.wait(60) == 0
        assert demo("--stop").wait(120) == 0
        assert users.kubectl("get", "namespaces,crds", "-o", "name").stdout == before
    result = run.output / "banana"
    assert (result / "model.glb").read_bytes()[:4] == b"glTF"
    assert json.loads((result / "manifest.json").read_text())
    text = run.output_text()
    assert "a cancel takes two steps" in text
    assert "banana: Running" in text
    assert "$ kubectl" not in text
    assert "placeholder: Cancelled" in text
    assert str(result / "model.glb") in text
    assert "\x1b" not in text
    assert sorted(path.name for path in run.output.iterdir()) == [".lock", "banana", "logs"]
    assert run.left() == []


def test_an_interrupted_demo_leaves_nothing_running(demo: Callable[..., Demo], tmp_path: Path) -> None:
    run = demo("--verbose", "--photos", shutil.copytree(CHECKOUT / "examples" / "photos" / "banana", tmp_path / "vase"))
    wait_until(
        lambda: re.search(r"vase: Running, [1-9]\d%", run.output_text()) is not None,  # the photos are loaded
        "the demo to reconstruct",
        timeout_seconds=200,
        seen=run.output_text,
    )

    run.process.send_signal(signal.SIGINT)

    assert run.wait(60) == 130
    assert run.lines[-1] == "demo: interrupted; everything is stopped and removed"
    wait_until(lambda: not run.left(), "the end of all processes", seen=run.left, timeout_seconds=30)
    assert not (run.output / "jobs").exists()


def some_photos(folder: Path, number: int) -> Path:
    """Copy that many photos to a new folder; two make no mesh."""
    folder.mkdir()
    for photo in sorted((CHECKOUT / "examples/photos/banana").glob("*.jpg"))[:number]:
        shutil.copy(photo, folder)
    return folder


# Its build does not end.
GO = """#!/bin/sh
case $1 in
    env) echo go1.99.0 ;;
    list) echo net ;;
    build) exec sleep 600 ;;
esac
"""


@pytest.mark.release  # a minute of the engine
def test_the_engine_shows_its_mesh_while_the_control_plane_is_built(demo: Callable[..., Demo], tmp_path: Path) -> None:
    go = tmp_path / "go"
    go.write_text(GO)
    go.chmod(0o755)
    caches = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "PATH": f"{tmp_path}:{os.environ['PATH']}"}

    run = demo("--open", "--photos", some_photos(tmp_path / "vase", 5), **caches, TMPDIR=str(tmp_path))
    match = wait_until(
        lambda: re.search(
            r"Your mesh, by the engine alone, after \d+ s: (\S+), in the browser at (\S+)", run.output_text()
        ),
        "the mesh of the engine alone",
        timeout_seconds=250,
        seen=run.output_text,
    )

    with urllib.request.urlopen(match[2]) as page:  # noqa: S310 -- of this machine
        assert b"model-viewer" in page.read()
    assert Path(match[1]).read_bytes()[:4] == b"glTF"
    run.process.send_signal(signal.SIGINT)
    assert run.wait(60) == 130
    assert run.lines[-1] == "demo: interrupted; everything is stopped and removed"
    wait_until(lambda: not run.left(), "the end of all processes", seen=run.left, timeout_seconds=30)
    left = {path.name for path in tmp_path.iterdir()} - {"cache", "go", "demo-output", "vase"}
    assert {name for name in left if not name.startswith("reconstruction-operator")} == set()


# Its build makes what the cache has already, as soon as the engine's mesh is there.
GO_THAT_WAITS = """#!/bin/sh
case $1 in
    env) echo go1.99.0 ;;
    list) echo net ;;
    build)
        while ! [ -e "$MESH" ]; do sleep 0.2; done
        while [ "$1" != -o ]; do shift; done
        exec cp "$BUILT/control-plane" "$2" ;;
esac
"""


@pytest.mark.release
@pytest.mark.timeout(MESH_SECONDS)
def test_the_demos_job_continues_from_the_engines_run_of_the_same_photos(
    demo: Callable[..., Demo], tmp_path: Path
) -> None:
    go, cache = tmp_path / "go", tmp_path / "cache" / "reconstruction-operator"
    go.write_text(GO_THAT_WAITS)
    go.chmod(0o755)
    cache.mkdir(parents=True)
    programs = built().parent.parent
    for entry in programs.iterdir():
        if entry.name != "control-plane":
            (cache / entry.name).symlink_to(entry)
    caches = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    mesh = tmp_path / "demo-output" / "first-mesh" / "model.glb"

    run = demo("--photos", some_photos(tmp_path / "vase", 5), **caches, BUILT=str(built()), MESH=str(mesh))

    assert run.wait(MESH_SECONDS) == 0, run.output_text()
    text = run.output_text()
    assert "now the job vase, which continues from the stages of the engine's run" in text
    assert re.search(r"The photos became a mesh in \d+ s, continued from surface of an earlier run", text), text


def test_photos_that_make_no_mesh_are_refused_before_anything_starts(demo: Callable[..., Demo], tmp_path: Path) -> None:
    run = demo("--photos", some_photos(tmp_path / "vase", 2))

    assert run.wait(60) == 1
    assert "error: 2 photos" in run.output_text()
    assert "KEEP=1 runs the demo all the same" in run.output_text()
    assert not (run.output / "logs").exists()


def test_a_kept_demo_says_why_there_is_no_mesh_and_waits_for_other_photos(
    demo: Callable[..., Demo], tmp_path: Path
) -> None:
    run = demo("--keep", "--photos", some_photos(tmp_path / "vase", 2))

    assert run.wait(200) == 0
    text = run.output_text()
    assert text.count("vase: Failed") == 1
    assert "What to do:" in text
    assert "Other photos: drop them on http://127.0.0.1:" in text
    reopened = demo("--show")
    address = wait_until(
        lambda: re.search(r"^http://\S+$", reopened.output_text(), re.MULTILINE),
        "an address",
        seen=reopened.output_text,
    )
    with urllib.request.urlopen(address[0]) as page:  # noqa: S310 -- of this machine
        assert b"<title>" in page.read()
    reopened.process.send_signal(signal.SIGINT)
    assert reopened.wait(60) == 0


def test_an_unreachable_cluster_is_rejected_with_advice(demo: Callable[..., Demo], tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    write_kubeconfig(kubeconfig, url=f"https://127.0.0.1:{free_ports(1)[0]}", ca=b"", user={"token": "any"})

    run = demo("--kubeconfig", kubeconfig)

    assert run.wait(120) == 1
    assert f"The cluster of {kubeconfig} does not answer. kubectl reports:" in run.output_text()
    assert "Without KUBECONFIG=... the demo starts its own control plane." in run.output_text()
    assert run.left() == []


def test_a_cluster_with_an_operator_is_rejected_with_advice(
    demo: Callable[..., Demo], cluster: devcluster.Cluster
) -> None:
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "reconstruction-operator"}}
    cluster.kubectl("create", "namespace", "reconstruction-system", check=False)  # other tests may have made it
    cluster.kubectl("-n", "reconstruction-system", "apply", "-f", "-", input=json.dumps(lease))

    run = demo("--kubeconfig", cluster.kubeconfig)

    assert run.wait(120) == 1
    assert "has an operator installed" in run.output_text()
