"""Images: each runs with the restrictions of the chart's pods: a numeric user, a read-only root, no capabilities."""

import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from devcluster import Cluster, Redis, wait_until
from devcluster.harness.system import OPERATOR_NAMESPACE, System
from devcluster.node import images
from devcluster.node.bundles import Bundle
from devcluster.servers.ports import free_ports
from devcluster.servers.runs import RunFolder
from tests.support.paths import CHECKOUT

TARGETS = pytest.mark.parametrize("target", sorted(images.TARGETS))
COMPILERS = ("cc", "gcc", "c++", "g++", "clang", "cpp", "as", "ld", "make", "go", "rustc")
VERSION = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["version"]


@pytest.fixture(scope="module")
def bundles(built: dict[str, str]) -> Iterator[Callable[[str], Bundle]]:
    with ExitStack() as opened:
        yield cache(lambda target: opened.enter_context(Bundle(built[target])))


@pytest.fixture
def run() -> Iterator[RunFolder]:
    folder = RunFolder.new("images")
    yield folder
    folder.close()


def addresses(redis: Redis) -> dict[str, str]:
    broker = redis.url(0)
    return {"CELERY_BROKER_URL": broker, "CELERY_RESULT_BACKEND": broker, "REDIS_STATE_DB": redis.url(1)}


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310 -- the loopback address
            return True
    except (urllib.error.URLError, OSError):
        return False


@TARGETS
def test_an_image_runs_as_a_numeric_user_of_its_own(bundles: Callable[[str], Bundle], target: str) -> None:
    done = bundles(target).run("id")
    assert done.stdout.split() == ["uid=65532", "gid=65532", "groups=65532"]


@TARGETS
def test_an_image_prints_its_version_on_a_read_only_root(bundles: Callable[[str], Bundle], target: str) -> None:
    done = bundles(target).run("reconstruction-operator", "--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"reconstruction-operator {VERSION}\n", "")
    assert "Read-only file system" in bundles(target).run("touch", "/venv/x").stderr


@TARGETS
def test_an_image_has_no_compiler_and_no_pip(bundles: Callable[[str], Bundle], target: str) -> None:
    programs = bundles(target).run("sh", "-c", f"command -v {' '.join((*COMPILERS, 'pip', 'pip3'))}; true")
    assert (programs.returncode, programs.stdout) == (0, "")
    assert bundles(target).run("/venv/bin/python", "-m", "pip", "--version").returncode != 0


@TARGETS
def test_imported_modules_are_already_compiled(bundles: Callable[[str], Bundle], target: str) -> None:
    root = bundles(target).root
    (package,) = root.glob("venv/lib/python3*/site-packages/reconstruction_operator")
    sources = {path.relative_to(package).with_suffix("") for path in package.rglob("*.py")}
    compiled = {
        path.relative_to(package).parent.parent / path.name.split(".")[0] for path in package.rglob("__pycache__/*.pyc")
    }
    assert len(sources) > 100
    assert sources == compiled


@TARGETS
def test_an_image_has_labels_and_a_health_check(bundles: Callable[[str], Bundle], target: str) -> None:
    labels = bundles(target).configuration["Labels"]
    assert labels["org.opencontainers.image.version"] == VERSION
    assert labels["org.opencontainers.image.title"] == images.TARGETS[target].split("/")[1].split(":")[0]
    assert bundles(target).configuration["Healthcheck"]["Test"][0] == "CMD"


def test_nothing_is_imported_from_the_working_directory(bundles: Callable[[str], Bundle]) -> None:
    done = bundles("operator").run("sh", "-c", "echo 'raise SystemExit(9)' > celery.py && python -c 'import celery'")
    assert done.returncode == 0


def test_operator_image_has_no_photogrammetry_and_worker_image_no_kubernetes(bundles: Callable[[str], Bundle]) -> None:
    assert bundles("operator").run("python", "-c", "import numpy").returncode == 1
    assert bundles("worker").run("python", "-c", "import kubernetes").returncode == 1
    assert bundles("worker-base").run("python", "-c", "import numpy").returncode == 1


def test_the_libraries_of_photogrammetry_load_on_a_read_only_root(bundles: Callable[[str], Bundle]) -> None:
    names = "pycolmap, cv2, scipy, trimesh, embreex, fast_simplification"
    done = bundles("worker").run("python", "-W", "error", "-c", f"import {names}")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_operator_starts_within_seconds(
    bundles: Callable[[str], Bundle], run: RunFolder, measured: Callable[[str, float], None], tmp_path: Path
) -> None:
    with Cluster() as cluster, Redis() as redis, System(cluster, redis) as system:
        system.install()
        account = cluster.service_account_kubeconfig(OPERATOR_NAMESPACE, "reconstruction-operator")
        readable = tmp_path / "kubeconfig"
        readable.write_bytes(account.read_bytes())
        readable.chmod(0o644)
        port, metrics_port = free_ports(2)
        environment = {
            "KUBECONFIG": "/etc/kubeconfig",
            **addresses(redis),
            "OPERATOR_NAMESPACE": OPERATOR_NAMESPACE,
            "PROBE_HOST": "127.0.0.1",
            "PROBE_PORT": str(port),
            "METRICS_PORT": str(metrics_port),
        }
        with Bundle(images.TARGETS["operator"], mounts={readable: "/etc/kubeconfig"}) as bundle:
            health = bundle.configuration["Healthcheck"]["Test"][1:]
            assert bundle.run(*health, environment=environment).returncode == 1
            started = time.monotonic()
            operator = bundle.start("operator", run=run, environment=environment)
            for path in ("healthz", "readyz"):
                wait_until(
                    lambda path=path: operator.check() or answers(f"http://127.0.0.1:{port}/{path}"),
                    f"the operator's {path}",
                    seen=operator.log_end,
                )
                measured(f"the operator's container answers {path}", time.monotonic() - started)
            assert bundle.run(*health, environment=environment).returncode == 0
            operator.stop()


def test_a_worker_is_healthy_once_it_listens(bundles: Callable[[str], Bundle], run: RunFolder) -> None:
    bundle = bundles("worker-base")
    health = bundle.configuration["Healthcheck"]["Test"][1:]
    port, metrics_port = free_ports(2)
    with Redis() as redis:
        environment = {
            **addresses(redis),
            "JOBS_DIR": "/tmp/jobs",
            "WORKER_METRICS_HOST": "127.0.0.1",
            "WORKER_PROBE_PORT": str(port),
            "WORKER_METRICS_PORT": str(metrics_port),
        }
        assert bundle.run(*health, environment=environment).returncode == 1
        worker = bundle.start("worker", run=run, environment=environment)
        wait_until(
            lambda: worker.check() or bundle.run(*health, environment=environment).returncode == 0,
            "the health check of the image",
            seen=worker.log_end,
        )
        worker.stop()
