"""Prometheus for as long as a `with` block: its targets, and its answers to queries."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from devcluster.errors import DevclusterError
from devcluster.programs.toolchain import prometheus_program
from devcluster.servers.ports import free_ports
from devcluster.servers.processes import Process
from devcluster.servers.running import Running
from devcluster.servers.runs import RunFolder
from devcluster.waiting import wait_until

_READY_SECONDS = 120.0  # ready in a second
_ANSWER_SECONDS = 60.0


@dataclass(frozen=True)
class Target:
    """One address on 127.0.0.1 with /metrics. `labels` are what service discovery adds in a cluster."""

    job: str
    port: int
    labels: Mapping[str, str] = field(default_factory=dict)


class Prometheus(Running):
    """A running Prometheus that scrapes `targets` every second, and has `rules` files."""

    def __init__(self, targets: Sequence[Target], *, rules: Sequence[Path] = (), scrape_seconds: int = 1) -> None:
        self._run = RunFolder.new("prometheus")
        (self.port,) = free_ports(1)
        file = self._run.folder / "prometheus.yml"
        file.write_text(yaml.safe_dump(_configuration(targets, rules, scrape_seconds)))
        command: list[str | Path] = [
            prometheus_program("prometheus"),
            f"--config.file={file}",
            f"--storage.tsdb.path={self._run.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--log.level=warn",
        ]
        self._process = Process("prometheus", command, run=self._run)

    def start(self) -> None:
        """Wait until it answers."""
        try:
            wait_until(
                self._is_ready, "Prometheus to answer", timeout_seconds=_READY_SECONDS, seen=self._process.log_end
            )
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it, and remove its files."""
        self._process.stop()
        self._run.close()

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an instant query: [{"metric": {label: value}, "value": [time, text]}].

        Raises:
            DevclusterError: Prometheus refuses the expression.

        """
        return self._series("query", query=expression)

    def query_range(self, expression: str, *, start: float, end: float, step_seconds: float) -> list[dict[str, Any]]:
        """The series of a range query, as a panel sends it: [{"metric": {label: value}, "values": [[time, text], …]}]; times are Unix seconds."""
        return self._series("query_range", query=expression, start=str(start), end=str(end), step=str(step_seconds))

    def rules(self) -> list[dict[str, Any]]:
        """Every rule with its health and, for alerts, its state."""
        groups = self._get("/api/v1/rules")["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def _series(self, kind: str, **parameters: str) -> list[dict[str, Any]]:
        answer = self._get(f"/api/v1/{kind}?{urllib.parse.urlencode(parameters)}")
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    def _is_ready(self) -> bool:
        self._process.check()
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=_ANSWER_SECONDS) as answer:
            return bool(answer.status == 200)  # noqa: PLR2004  # HTTP

    def _get(self, path: str) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=_ANSWER_SECONDS) as answer:
                read: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:
            raise DevclusterError(f"Prometheus refuses {path}: {error.read().decode(errors='replace')}") from error
        return read


def _configuration(targets: Sequence[Target], rules: Sequence[Path], scrape_seconds: int) -> dict[str, Any]:
    jobs: dict[str, list[dict[str, Any]]] = {}
    for target in targets:
        static = {"targets": [f"127.0.0.1:{target.port}"], "labels": dict(target.labels)}
        jobs.setdefault(target.job, []).append(static)
    return {
        "global": {"scrape_interval": f"{scrape_seconds}s", "evaluation_interval": f"{scrape_seconds}s"},
        "rule_files": [str(path) for path in rules],
        "scrape_configs": [{"job_name": job, "static_configs": statics} for job, statics in jobs.items()],
    }
