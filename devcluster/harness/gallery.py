"""Gallery beside a system: its account, its process, and an HTTP client for one user."""

from __future__ import annotations

import http.client
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from devcluster.harness.system import OPERATOR_NAMESPACE, REPOSITORY, System
from devcluster.servers.ports import free_ports
from devcluster.servers.processes import Process
from devcluster.waiting import wait_until

ACCOUNT = "reconstruction-gallery"
_READY_SECONDS = 60.0
_ANSWER_SECONDS = 30.0


@dataclass(frozen=True)
class HttpAnswer:
    """An HTTP answer, with the names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        """The content as JSON."""
        return json.loads(self.content)


@dataclass
class Gallery:
    """A running gallery."""

    port: int
    process: Process
    probe_port: int

    @property
    def url(self) -> str:
        """The address of its pages."""
        return f"http://127.0.0.1:{self.port}"

    def probe(self, path: str) -> int:
        """Return the status of a probe."""
        return replace(self, port=self.probe_port).request("GET", path).status

    def request(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None, *, token: str = ""
    ) -> HttpAnswer:
        """Send a request on a new connection. `body`: bytes, or data for JSON. The path is sent unchanged."""
        sent = {**({"Authorization": f"Bearer {token}"} if token else {}), **(headers or {})}
        data = body if isinstance(body, bytes) else None
        if body is not None and data is None:
            data = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=_ANSWER_SECONDS)) as connection:
            connection.request(method, path, data, sent)
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return HttpAnswer(answer.status, headers, answer.read())


def install_gallery(system: System) -> Path:
    """Make the gallery's account with its rights. Return the kubeconfig of the account."""
    system.cluster.kubectl("apply", "-f", REPOSITORY / "manifests" / "gallery")
    return system.cluster.service_account_kubeconfig(OPERATOR_NAMESPACE, ACCOUNT)


def launch_gallery(
    system: System, kubeconfig: Path, ports: Sequence[int], name: str = "gallery", **settings: str
) -> Gallery:
    """Start the gallery on the system's job folders, and do not wait until it is ready.

    `ports`: of its pages and of its probes.
    """
    port, probe_port = ports
    process = system.start_program(
        name,
        [Path(sys.executable).with_name("reconstruction-gallery")],
        KUBECONFIG=str(kubeconfig),
        GALLERY_HOST="127.0.0.1",
        GALLERY_PORT=str(port),
        GALLERY_PROBE_PORT=str(probe_port),
        **settings,
    )
    return Gallery(port, process, probe_port)


def start_gallery(system: System, name: str = "gallery", port: int = 0, **settings: str) -> Gallery:
    """Start the gallery as its own account on the system's job folders, and wait until it has listed the jobs.

    `port` 0: any.
    """
    kubeconfig = install_gallery(system)
    probe_port, any_port = free_ports(2)
    gallery = launch_gallery(system, kubeconfig, (port or any_port, probe_port), name, **settings)
    process = gallery.process

    def ready() -> bool:
        process.check()
        try:
            return gallery.probe("/readyz") == http.client.OK
        except OSError:
            return False

    wait_until(ready, "the gallery to have listed the jobs", timeout_seconds=_READY_SECONDS, seen=process.log_end)
    return gallery


@dataclass
class Browser:
    """A user's browser without a page: it keeps the cookie, and sends the origin of requests."""

    gallery: Gallery
    cookie: str = ""
    proof: str = ""

    def sign_in(self, token: str) -> HttpAnswer:
        """Begin a session."""
        answer = self.request("POST", "/api/session", {"token": token})
        if "set-cookie" in answer.headers:
            self.cookie = answer.headers["set-cookie"].partition(";")[0]
            self.proof = self.request("GET", "/api/session").json["proof"]
        return answer

    def request(self, method: str, path: str, body: object = None, **headers: str) -> HttpAnswer:
        """Send a request of the page. Names of `headers` have _ for -."""
        own = {
            "Origin": self.gallery.url,
            "Sec-Fetch-Site": "same-origin",
            "Cookie": self.cookie,
            "X-CSRF-Token": self.proof,
        }
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {name: value for name, value in {**own, **given}.items() if value}
        return self.gallery.request(method, path, body, sent)
