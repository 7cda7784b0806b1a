"""Job log: the lines of operator and workers about a job, for users who may read the logs of their pods."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from devcluster.harness.gallery import Gallery, HttpAnswer
from devcluster.harness.jobs import Jobs
from devcluster.harness.system import OPERATOR_NAMESPACE, REPOSITORY
from devcluster.waiting import wait_until
from tests.real.gallery.conftest import MakeUser
from tests.real.gallery.test_access import know
from tests.support.servers.https import running_https

NODE = "gallery-logs"
PROGRAMS = ("operator", "worker")
_CONTAINER = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
PODS = f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/pods"


@dataclass
class Kubelet:
    """A kubelet that serves the logs of pods to the API server, and nothing else."""

    logs: dict[str, list[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.asked.append(handler.path)
        pod = urlsplit(handler.path).path.split("/")[3]
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write("\n".join(self.logs.get(pod, [])).encode())


@pytest.fixture
def kubelet(jobs: Jobs, tmp_path: Path) -> Iterator[Kubelet]:
    """A node with a pod of the operator and a pod of a worker."""
    api, running = jobs.system.cluster.api, Kubelet()
    api.post("/api/v1/nodes", {"metadata": {"name": NODE}})
    for name in PROGRAMS:
        labels = {"app.kubernetes.io/part-of": "reconstruction"}
        spec = {
            "nodeName": NODE,
            "serviceAccountName": "reconstruction-operator",
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{"name": name, "image": "none", "securityContext": _CONTAINER}],
        }
        api.post(PODS, {"metadata": {"name": f"logs-{name}", "labels": labels}, "spec": spec})
    with running_https(tmp_path) as server:
        server.pages |= {f"/containerLogs/{OPERATOR_NAMESPACE}/logs-{name}/{name}": running.answer for name in PROGRAMS}
        ports = {"kubeletEndpoint": {"Port": server.port}}
        addresses = [{"type": "InternalIP", "address": "127.0.0.1"}]
        api.patch(f"/api/v1/nodes/{NODE}/status", {"status": {"addresses": addresses, "daemonEndpoints": ports}})
        yield running
    for name in PROGRAMS:
        api.request("DELETE", f"{PODS}/logs-{name}", {"gracePeriodSeconds": 0})
    api.delete(f"/api/v1/nodes/{NODE}")


@pytest.fixture
def job(jobs: Jobs, gallery: Gallery) -> str:
    """The name of a job with Events."""
    name = jobs.create_in("Succeeded")
    know(gallery, jobs, name)
    jobs.wait_event(name, "Succeeded")  # the last one
    return name


def log_of(gallery: Gallery, jobs: Jobs, name: str, token: str) -> HttpAnswer:
    return gallery.request("GET", f"/api/namespaces/{jobs.namespace}/jobs/{name}/log", token=token)


def lines_of_pods(gallery: Gallery, jobs: Jobs, name: str, token: str) -> list[dict[str, str]]:
    return [line for line in log_of(gallery, jobs, name, token).json["lines"] if line["source"] != "event"]


def test_the_lines_about_the_job_come_from_all_pods_in_order(
    gallery: Gallery, jobs: Jobs, job: str, kubelet: Kubelet, make_user: MakeUser
) -> None:
    token = make_user("viewer")
    uid = jobs.get(job)["metadata"]["uid"]
    record = json.dumps({"level": "warning", "message": "Lost the worker", "uid": uid})
    # Another job's address names the uid of this one
    forged = json.dumps({"level": "error", "message": f'file:///x","uid":"{uid}" uid={uid} is missing', "uid": "other"})
    kubelet.logs = {
        "logs-operator": [
            f"2030-01-01T00:00:03Z {record}",
            "2030-01-01T00:00:04Z about another job",
            f"2030-01-01T00:00:05Z {forged}",
        ],
        "logs-worker": [
            f"2030-01-01T00:00:01Z INFO Started uid={uid}",
            f"2030-01-01T00:00:06Z INFO file:///x uid={uid} is missing uid=other",
            "2030-01-01T00:00:02Z " + "x" * 200_000,
        ],
    }

    entries = lines_of_pods(gallery, jobs, job, token)

    lines = [(entry["source"], entry["text"]) for entry in entries]
    assert lines == [("logs-worker", f"INFO Started uid={uid}"), ("logs-operator", "warning Lost the worker")]
    said = [(entry["part"], entry["sentence"]) for entry in entries]
    assert said == [("worker", f"INFO Started uid={uid}"), ("operator", "Warning: Lost the worker")]
    assert all("limitBytes" in asked and "sinceTime" in asked for asked in kubelet.asked)


def test_a_gallery_without_rights_on_pods_says_so(gallery: Gallery, jobs: Jobs, job: str, make_user: MakeUser) -> None:
    """The viewers of these tests may not read Events either."""
    token, kubectl = make_user("viewer"), jobs.system.cluster.kubectl
    kubectl("-n", OPERATOR_NAMESPACE, "delete", "rolebinding", "reconstruction-gallery-logs")

    answer = wait_until(
        lambda: (log := log_of(gallery, jobs, job, token).json)["leftOut"].count("may not") == 2 and log,
        "the deletion to be seen",
    )
    kubectl("apply", "-f", REPOSITORY / "manifests" / "gallery")

    assert answer == {
        "lines": [],
        "leftOut": f"you may not read the Events in namespace {jobs.namespace}; the gallery may not "
        f"read the logs of operator and workers in namespace {OPERATOR_NAMESPACE}",
    }


def test_an_administrator_sees_the_jobs_events_in_its_log(gallery: Gallery, jobs: Jobs, job: str) -> None:
    log = log_of(gallery, jobs, job, jobs.system.cluster.api.token).json

    events = {entry["text"] for entry in log["lines"] if entry["source"] == "event"}
    assert events == {f"{reason}: {message}" for _, reason, message in jobs.events(job)}
