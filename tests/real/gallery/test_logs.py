"""The log of a job: what operator and workers wrote about it, for users who may read their pods' logs."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from devcluster.harness.gallery import Gallery, HttpAnswer
from devcluster.harness.jobs import Jobs
from devcluster.harness.system import OPERATOR_NAMESPACE
from devcluster.servers.certificates import Authority
from devcluster.waiting import wait_until
from tests.real.gallery.conftest import MakeUser
from tests.real.gallery.test_access import know

NODE = "gallery-logs"
_CONTAINER = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
PODS = f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/pods"


class Kubelet:
    """The logs of pods, as the API server asks a kubelet for them: nothing else of a node is needed."""

    def __init__(self, folder: Path) -> None:
        self.logs: dict[str, list[str]] = {}
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                _, _, _, pod, _ = urlsplit(self.path).path.split("/")
                content = "\n".join(outer.logs.get(pod, [])).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None: ...

        pair = Authority(folder).issue("kubelet", user="kubelet", hosts=("127.0.0.1",))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def kubelet(jobs: Jobs, tmp_path: Path) -> Iterator[Kubelet]:
    """A node, and on it a pod of the operator and one of a worker."""
    api, running = jobs.system.cluster.api, Kubelet(tmp_path)
    api.post("/api/v1/nodes", {"metadata": {"name": NODE}})
    ports = {"kubeletEndpoint": {"Port": running.port}}
    addresses = [{"type": "InternalIP", "address": "127.0.0.1"}]
    api.patch(f"/api/v1/nodes/{NODE}/status", {"status": {"addresses": addresses, "daemonEndpoints": ports}})
    for name in ("operator", "worker"):
        labels = {"app.kubernetes.io/part-of": "reconstruction"}
        spec = {
            "nodeName": NODE,
            "serviceAccountName": "reconstruction-operator",
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{"name": name, "image": "none", "securityContext": _CONTAINER}],
        }
        api.post(PODS, {"metadata": {"name": f"logs-{name}", "labels": labels}, "spec": spec})
    yield running
    for name in ("operator", "worker"):
        api.request("DELETE", f"{PODS}/logs-{name}", {"gracePeriodSeconds": 0})
    api.delete(f"/api/v1/nodes/{NODE}")
    running.stop()


@pytest.fixture
def job(jobs: Jobs, gallery: Gallery) -> str:
    """Name of a job with Events."""
    name = jobs.create_in("Succeeded")
    know(gallery, jobs, name)
    wait_until(lambda: jobs.events(name), "the job's Events")
    return name


def log_of(gallery: Gallery, jobs: Jobs, name: str, token: str) -> HttpAnswer:
    return gallery.request("GET", f"/api/namespaces/{jobs.namespace}/jobs/{name}/log", token=token)


def lines_of_pods(gallery: Gallery, jobs: Jobs, name: str, token: str) -> list[dict[str, str]]:
    return [one for one in log_of(gallery, jobs, name, token).json["lines"] if one["source"] != "event"]


def may_read_logs(jobs: Jobs, account: str, *resources: str) -> None:
    """Give a service account of the test's namespace these rights on the pods of operator and workers."""
    api, rbac = jobs.system.cluster.api, f"/apis/rbac.authorization.k8s.io/v1/namespaces/{OPERATOR_NAMESPACE}"
    metadata = {"name": jobs.namespace}
    rules = [{"apiGroups": [""], "resources": list(resources), "verbs": ["get", "list"]}]
    api.post(f"{rbac}/roles", {"metadata": metadata, "rules": rules})
    binding = {
        "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": jobs.namespace},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": jobs.namespace}],
    }
    api.post(f"{rbac}/rolebindings", binding)


def account_of(gallery: Gallery, token: str) -> str:
    return str(gallery.request("GET", "/api/session", token=token).json["user"]).rpartition(":")[2]


def test_the_lines_about_the_job_come_from_all_pods_in_order(
    gallery: Gallery, jobs: Jobs, job: str, kubelet: Kubelet, make_user: MakeUser
) -> None:
    token = make_user("viewer")
    may_read_logs(jobs, account_of(gallery, token), "pods", "pods/log")
    uid = jobs.get(job)["metadata"]["uid"]
    record = json.dumps({"level": "warning", "message": "Lost the worker", "uid": uid})
    kubelet.logs = {
        "logs-operator": [f"2030-01-01T00:00:03Z {record}", "2030-01-01T00:00:04Z about another job"],
        "logs-worker": [f"2030-01-01T00:00:01Z INFO job {uid} started", "2030-01-01T00:00:02Z " + "x" * 200_000],
    }

    found = wait_until(lambda: lines_of_pods(gallery, jobs, job, token), "the user's rights to count")

    assert found is not None
    lines = [(one["source"], one["text"]) for one in found]
    assert lines == [("logs-worker", f"INFO job {uid} started"), ("logs-operator", "warning Lost the worker")]
    assert all("limitBytes" in asked and "sinceTime" in asked for asked in kubelet.asked)


@pytest.mark.parametrize("resources", [(), ("pods",)], ids=["no-rights", "pods-alone"])
def test_a_user_who_may_not_read_the_pods_logs_gets_none(  # noqa: PLR0917  # fixtures
    gallery: Gallery, jobs: Jobs, job: str, kubelet: Kubelet, make_user: MakeUser, resources: tuple[str, ...]
) -> None:
    """A viewer of jobs, as those of the test have it, may not read Events either."""
    token = make_user("viewer")
    if resources:
        may_read_logs(jobs, account_of(gallery, token), *resources)
    kubelet.logs = {"logs-worker": [f"2030-01-01T00:00:01Z SECRET {jobs.get(job)['metadata']['uid']}"]}

    answer = log_of(gallery, jobs, job, token)

    assert answer.json["lines"] == []
    assert f"logs of operator and workers in namespace {OPERATOR_NAMESPACE}" in answer.json["leftOut"]
    assert kubelet.asked == []


def test_an_administrator_sees_the_jobs_events_in_its_log(gallery: Gallery, jobs: Jobs, job: str) -> None:
    found = log_of(gallery, jobs, job, jobs.system.cluster.api.token).json

    shown = {one["text"].partition(" (")[0] for one in found["lines"] if one["source"] == "event"}
    assert shown == {f"{reason}: {message}".partition(" (")[0] for _, reason, message in jobs.events(job)}
