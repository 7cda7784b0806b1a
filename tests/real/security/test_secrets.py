"""Passwords are in no log, Event, status, metric or command line, whatever goes wrong. All under a prefix in Redis, too."""

from __future__ import annotations

import json
import secrets
import urllib.request
from pathlib import Path

import pytest

from devcluster import Cluster, Redis
from devcluster.jobs import Jobs
from devcluster.system import QUICK_SETTINGS, System
from devcluster.waiting import wait_until
from tests.real.security.redis_users import addresses, user

pytestmark = pytest.mark.real

PREFIX = "maps:"
OPERATOR, WORKER, WRONG, HEADER = (f"Secret-{secrets.token_hex(8)}" for _ in range(4))


def command_lines(system: System) -> str:
    """Of the guards and of the servers."""
    pids = [pid for process in system.processes.values() if process.alive for pid in process.pids]
    return "\n".join(Path(f"/proc/{pid}/cmdline").read_bytes().decode().replace("\0", " ") for pid in pids)


def test_no_secret_is_shown_anywhere(cluster: Cluster, namespace: str) -> None:
    users = [user("operator", OPERATOR, prefix=PREFIX), user("worker", WORKER, prefix=PREFIX)]
    settings = QUICK_SETTINGS | {
        "REDIS_KEY_PREFIX": PREFIX,
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",  # nobody listens there
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization={HEADER}",
        "LOG_LEVEL": "DEBUG",
    }
    with (
        Redis(tls=True, password="admin", persistent=True, users=users) as server,
        System(cluster, server, settings=settings) as system,
    ):
        system.install()
        system.start_operator(**addresses(server, "operator", OPERATOR))
        system.start_worker(**addresses(server, "worker", WORKER))
        jobs = Jobs(system, namespace)
        names = [jobs.create() for _ in range(2)]
        jobs.wait_phase(names[0], "Running")
        server.kill()
        wait_until(
            lambda: "Redis" in system.processes["operator"].log.read_text(),
            "the operator to miss Redis",
            timeout_seconds=60,
        )
        server.start()
        wrong = addresses(server, "worker", WRONG)
        no_authority = {name: url.partition("?")[0] for name, url in addresses(server, "worker", WORKER).items()}
        for name, given in (("wrong-password", wrong), ("no-authority", no_authority)):
            process = system.start_worker(name, **given)
            wait_until(
                lambda process=process: "annot connect" in process.log.read_text() or not process.alive,  # type: ignore[misc]
                "the worker to say that it cannot connect",
                timeout_seconds=60,
            )
        assert [jobs.wait_finished(name)["status"]["phase"] for name in names] == ["Succeeded"] * 2

        shown = {name: process.log.read_text(errors="replace") for name, process in system.processes.items()}
        shown["jobs"] = json.dumps([jobs.get(name) for name in names])
        shown["events"] = json.dumps(cluster.api.get(f"/api/v1/namespaces/{namespace}/events"))
        with urllib.request.urlopen(f"http://127.0.0.1:{system.probe_ports['operator']}/metrics") as answer:  # our own
            shown["metrics"] = answer.read().decode()
        shown["command lines"] = command_lines(system)

    assert all(len(text) > 100 for text in shown.values()), {name: len(text) for name, text in shown.items()}
    places = [name for name, text in shown.items() for secret in (OPERATOR, WORKER, WRONG, HEADER) if secret in text]
    assert places == []
