"""Secrets: no password or signature appears in a log, Event, status, metric or command line, even after errors."""

import contextlib
import json
import secrets
import urllib.request
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import psutil
import pytest

from devcluster.harness.jobs import Jobs
from devcluster.harness.system import REPOSITORY, System
from devcluster.waiting import wait_until
from tests.real.security.redis_users import addresses, user
from tests.support.archives import zipped
from tests.support.paths import PHOTOS
from tests.support.servers.https import running_https
from tests.support.systems import SharedSystems

PREFIX = "maps:"
OPERATOR, WORKER, WRONG, HEADER = (f"Secret-{secrets.token_hex(8)}" for _ in range(4))


def command_lines(system: System) -> str:
    """Return the command lines of all processes of the system: guards, servers and their children, including models."""
    processes = [
        each
        for process in system.processes.values()
        if process.alive
        for pid in process.pids
        for each in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))
    ]
    lines = []
    for each in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            lines.append(" ".join(each.cmdline()))
    return "\n".join(lines)


def shown_by(system: System, jobs: Jobs, names: Sequence[str]) -> dict[str, str]:
    """Return all texts that users can read, by their place."""
    logs = {name: process.log.read_text(errors="replace") for name, process in system.processes.items()}
    logs["statuses"] = json.dumps([jobs.get(name)["status"] for name in names])
    logs["events"] = json.dumps(system.cluster.api.get(f"/api/v1/namespaces/{jobs.namespace}/events"))
    with urllib.request.urlopen(f"http://127.0.0.1:{system.metrics_ports['operator']}/metrics") as answer:  # our own
        logs["metrics"] = answer.read().decode()
    logs["command lines"] = command_lines(system)
    assert all(len(text) > 100 for text in logs.values()), {name: len(text) for name, text in logs.items()}
    return logs


@pytest.fixture
def secret_system(start_system: SharedSystems) -> System:
    """A system with a secret in each setting that takes one, and no process yet."""
    users = [user("operator", OPERATOR, prefix=PREFIX), user("worker", WORKER, prefix=PREFIX)]
    return start_system(
        operator=False,
        redis={"tls": True, "password": "admin", "persistent": True, "users": users},
        fresh=True,
        REDIS_KEY_PREFIX=PREFIX,
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",  # no server listens there
        OTEL_EXPORTER_OTLP_HEADERS=f"authorization={HEADER}",
        LOG_LEVEL="DEBUG",
    )


def test_no_password_or_header_appears_anywhere(secret_system: System, namespace: str) -> None:
    system, server, jobs = secret_system, secret_system.redis, Jobs(secret_system, namespace)
    system.start_operator(**addresses(server, "operator", OPERATOR))
    system.start_worker(**addresses(server, "worker", WORKER))
    names = [jobs.create() for _ in range(2)]
    jobs.wait_phase(names[0], "Running")
    server.kill()
    wait_until(
        lambda: "Redis" in system.processes["operator"].log.read_text(),
        "the operator to report the outage of Redis",
        timeout_seconds=60,
    )
    server.start()
    wrong = addresses(server, "worker", WRONG)
    no_authority = {name: url.partition("?")[0] for name, url in addresses(server, "worker", WORKER).items()}
    for name, given in (("wrong-password", wrong), ("no-authority", no_authority)):
        process = system.start_worker(name, **given)
        wait_until(
            lambda process=process: "annot connect" in process.log.read_text() or not process.alive,
            "the worker to report that it cannot connect",
            timeout_seconds=60,
        )
    assert [jobs.wait_finished(name)["status"]["phase"] for name in names] == ["Succeeded"] * 2

    texts = shown_by(system, jobs, names)

    places = [name for name, text in texts.items() for secret in (OPERATOR, WORKER, WRONG, HEADER) if secret in text]
    assert places == []


def test_no_signature_of_an_input_url_appears_anywhere(
    start_system: SharedSystems, namespace: str, tmp_path: Path
) -> None:
    signature = secrets.token_hex(16)
    requested: list[str] = []
    photos = zipped(*((path.name, path.read_bytes()) for path in PHOTOS.glob("berlin/*.jpg")))

    def send_photos(handler: BaseHTTPRequestHandler) -> None:
        requested.append(handler.path)
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(photos)))
        handler.end_headers()
        handler.wfile.write(photos)

    def send_nothing(handler: BaseHTTPRequestHandler) -> None:
        requested.append(handler.path)
        handler.send_error(404)

    system = start_system(fresh=True, LOG_LEVEL="DEBUG")
    with running_https(tmp_path) as server:
        server.pages |= {"/set.zip": send_photos, "/missing.zip": send_nothing}
        system.start_worker(
            arguments=["--loglevel=DEBUG"],
            INPUT_HTTPS_HOSTS="localhost",
            SSL_CERT_FILE=str(tmp_path / "ca.crt"),
            PYTHONPATH=str(REPOSITORY / "tests" / "data" / "models"),
            ROUGH_MODELS_PIDS=str(tmp_path),
        )
        jobs = Jobs(system, namespace)
        query = f"X-Amz-Expires=60&X-Amz-Signature={signature}"
        running, missing = (
            jobs.create(modelType="rough-sleep", input={"uri": server.url(f"/{name}.zip?{query}")})
            for name in ("set", "missing")
        )
        assert jobs.wait_finished(missing)["status"]["failure"]["reason"] == "INPUT_NOT_FOUND"
        wait_until(lambda: any(tmp_path.glob("*.pid")), "the model to run", timeout_seconds=60)
        texts = shown_by(system, jobs, [running, missing])
        jobs.cancel(running)
        assert jobs.wait_finished(running)["status"]["phase"] == "Cancelled"
        texts["worker"] = system.processes["worker"].log.read_text()

    assert set(requested) == {f"/set.zip?{query}", f"/missing.zip?{query}"}
    assert "models.child" in texts["command lines"]
    assert '"GET /set.zip?*** HTTP/1.1" 200' in texts["worker"]  # a line of urllib3; Celery's lines have no arguments
    assert [name for name, text in texts.items() if signature in text] == []
