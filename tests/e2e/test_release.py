"""Release on a real node, step by step: install, a mesh, a cancel, a drain, an upgrade, a mesh from a bucket.

It is installed and used by the lines of README.md. Only `--values` is added to them.
"""

import json
import urllib.parse
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster import wait_until
from devcluster.node import Node
from devcluster.servers.storage.s3 import S3
from tests.support.pages import commands
from tests.support.paths import CHECKOUT
from tests.support.servers.objects import S3Server

HERE = Path(__file__).parent
ALERTS = CHECKOUT / "charts/reconstruction-operator/files/alerts.yaml"
PHOTOS = CHECKOUT / "examples/photos"
SCRAPING = CHECKOUT / "manifests/integrations/prometheus"
WORKED = '{namespace="reconstruction-system", pool="cpu", model="photogrammetry"}'

pytestmark = pytest.mark.timeout(900)  # a mesh takes a minute on a quiet machine


@pytest.fixture(autouse=True)
def _in_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in the checkout's root, as the README's commands expect."""
    monkeypatch.chdir(CHECKOUT)


def worker_pod(status: dict[str, Any]) -> str:
    """Return the pod in which a job runs. The name of a worker is celery@POD."""
    return str(status["worker"]).rpartition("@")[2].partition("/")[0]


def asked(node: Node, path: str) -> Any:
    """Return the answer of Prometheus, through the API server."""
    proxy = "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1"
    return json.loads(node.kubectl("get", "--raw", f"{proxy}/{path}").stdout)["data"]


def value(node: Node, expression: str) -> float:
    """Return the current number of a PromQL expression, or 0 if it has none."""
    result = asked(node, f"query?{urllib.parse.urlencode({'query': expression})}")["result"]
    return float(result[0]["value"][1]) if result else 0.0


def shows(node: Node, expression: str, expected: float) -> None:
    """Wait until Prometheus has a number, which it updates every few seconds."""
    wait_until(
        lambda: value(node, expression) == expected,
        f"{expression} to be {expected}",
        timeout_seconds=60,
        seen=lambda: str(value(node, expression)),
    )


def test_readme_commands_install_the_chart_in_a_restricted_namespace(node: Node, release: Any, volumes: Path) -> None:
    install, test = commands("install-by-helm")
    assert "STATUS: deployed" in release.helm(*install[1:], "--values", HERE / "values.yaml")
    assert {pod["status"]["phase"] for pod in release.pods().values()} == {"Running"}
    assert len(release.pods()) == 5  # two operators, two workers, a Redis
    assert test[:3] == ["helm", "test", release.name]


def test_prometheus_discovers_every_pod_and_may_read_nothing_else(node: Node) -> None:
    configuration = {
        "global": {"scrape_interval": "2s", "evaluation_interval": "2s"},
        "rule_files": ["alerts.yaml"],
        "scrape_configs": yaml.safe_load((SCRAPING / "scrape.yaml").read_text()),
    }
    files = {"prometheus.yml": yaml.safe_dump(configuration), "alerts.yaml": ALERTS.read_text()}
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "prometheus"}, "data": files}
    node.kubectl("apply", "-f", HERE / "prometheus.yaml")
    node.kubectl("apply", "-f", SCRAPING / "role.yaml")
    node.kubectl("apply", "-n", "monitoring", "-f", "-", input=json.dumps(settings))
    node.kubectl("-n", "monitoring", "rollout", "status", "deployment/prometheus", "--timeout=180s")

    shows(node, 'sum(up{job="reconstruction-operator"})', 2)
    shows(node, 'sum(up{job="reconstruction-workers", pool="cpu"})', 2)
    shows(node, "sum(reconstruction_leader)", 1)
    account = "--as=system:serviceaccount:monitoring:prometheus"
    refused = node.kubectl("auth", "can-i", "get", "secrets", "-n", "reconstruction-system", account, check=False)
    assert refused.stdout == "no\n"


def test_helm_test_runs_a_job_to_its_end(release: Any) -> None:
    _, test = commands("install-by-helm")
    assert "Phase:          Succeeded" in release.helm(*test[1:])


def test_readme_commands_make_a_mesh_from_photos_in_a_worker_pod(node: Node, release: Any, disk: Path) -> None:
    apply, wait, where = [line[1:] for line in commands("use") if "--watch" not in line]
    node.kubectl(*apply)
    node.kubectl(*wait, timeout_seconds=800)
    job = release.job("banana")
    status = job["status"]
    assert (status["phase"], status.get("simulated", False), status["attempt"]) == ("Succeeded", False, 1)
    assert status["inputs"]["images"] == 12
    assert node.kubectl(*where).stdout == f"file:///jobs/{job['metadata']['uid']}/output"
    output = disk / "jobs" / job["metadata"]["uid"] / "output"
    meshes = list(output.rglob("*.glb"))
    assert {mesh.read_bytes()[:4] for mesh in meshes} == {b"glTF"}
    assert max(mesh.stat().st_size for mesh in meshes) > 100_000
    assert (output / "manifest.json").is_file()


def test_prometheus_shows_the_mesh(node: Node) -> None:
    photos = list((PHOTOS / "banana").glob("*.jpg"))
    shows(node, 'sum(reconstruction_jobs_finished_total{outcome="Succeeded"})', 2)  # this one, and that of `helm test`
    shows(node, f"sum(reconstruction_worker_attempts_total{WORKED})", 1)
    shows(node, f"sum(reconstruction_worker_images_total{WORKED})", len(photos))
    shows(node, f"sum(reconstruction_worker_input_bytes_total{WORKED})", sum(photo.stat().st_size for photo in photos))
    shows(node, f"count(sum by (step) (reconstruction_worker_step_seconds_count{WORKED}) == 1)", 6)
    shows(node, "max(reconstruction_workers and on (pod) reconstruction_leader == 1)", 2)
    assert value(node, f"sum(reconstruction_worker_step_seconds_sum{WORKED})") > 1
    assert value(node, f"sum(reconstruction_worker_output_bytes_total{WORKED})") > 100_000
    assert value(node, f"max(reconstruction_worker_model_highest_memory_bytes{WORKED})") > 100_000_000


def test_readme_commands_cancel_a_job_in_two_steps(node: Node, release: Any) -> None:
    lines = [line[1:] for line in commands("cancel")]
    request, confirm = [[word.replace("banana", "cancelled") for word in line] for line in lines]
    release.running("cancelled")
    assert node.kubectl(*confirm, check=False).returncode != 0
    node.kubectl(*request)
    status = release.until("cancelled", lambda status: "requestedAt" in status.get("cancel", {}), "requested")
    assert status["phase"] == "Running"
    node.kubectl(*confirm)
    assert release.finished("cancelled")["phase"] == "Cancelled"


def test_a_job_of_a_drained_worker_moves_without_a_failure(node: Node, release: Any) -> None:
    pod = worker_pod(release.running("drained"))
    assert pod in release.pods()
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": release.namespace},
    }
    path = f"/api/v1/namespaces/{release.namespace}/pods/{pod}/eviction"
    node.kubectl("create", "--raw", path, "-f", "-", input=json.dumps(eviction))
    status = release.finished("drained")
    assert (status["phase"], status["attempt"], status.get("failures", 0)) == ("Succeeded", 2, 0)
    assert worker_pod(status) != pod


def test_the_shipped_example_makes_a_mesh_from_one_bucket_in_another(node: Node, release: Any) -> None:
    with S3(tls=True, host=node.addresses.machine) as server:
        account = {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key}
        literals = [f"--from-literal={name}={value}" for name, value in account.items()]
        node.kubectl("-n", release.namespace, "create", "secret", "generic", "buckets", *literals)
        node.kubectl(
            "-n", release.namespace, "create", "secret", "generic", "authority", f"--from-file=ca.crt={server.ca}"
        )
        client = S3Server(server.url(), server.access_key, server.secret_key, str(server.ca))
        photos = client.bucket("photos")
        meshes = client.bucket("meshes")
        for photo in (PHOTOS / "banana").glob("*.jpg"):
            photos.put(f"banana/{photo.name}", photo.read_bytes())
        storage = {
            "schemes": ["s3"],
            "existingSecret": "buckets",
            "s3": {"endpoint": server.url(), "region": server.region},
            "ca": {"existingSecret": "authority"},
        }
        release.upgrade("--set-json", f"objectStorage={json.dumps(storage)}")
        release.wait_workers()
        release.apply("bucket", "bucket")
        status = release.finished("bucket")
        assert (status["phase"], status["inputs"]["images"]) == ("Succeeded", 12), status
        pointer = json.loads(meshes.get("banana/result.json"))
        assert status["outputs"]["uri"] == f"s3://meshes/banana/{pointer['folder']}"
        assert meshes.get(f"banana/{pointer['folder']}model.glb")[:4] == b"glTF"
        release.upgrade()
