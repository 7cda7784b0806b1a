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
from devcluster.servers.server import HttpServer

_ANSWER_SECONDS = 60.0


@dataclass(frozen=True)
class Target:
    """One address on 127.0.0.1 with /metrics. `labels` are what service discovery adds in a cluster."""

    job: str
    port: int
    labels: Mapping[str, str] = field(default_factory=dict)


class Prometheus(HttpServer):
    """A running Prometheus that scrapes `targets` every second, and has `rules` files."""

    name = "prometheus"
    health = "/-/ready"

    def __init__(self, targets: Sequence[Target], *, rules: Sequence[Path] = (), scrape_seconds: int = 1) -> None:
        super().__init__()
        self._configuration = _configuration(targets, rules, scrape_seconds)

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

    def _command(self, folder: Path) -> Sequence[str | Path]:
        file = folder / "prometheus.yml"
        file.write_text(yaml.safe_dump(self._configuration))
        return [
            prometheus_program("prometheus"),
            f"--config.file={file}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={self.host}:{self.port}",
            "--log.level=warn",
        ]

    def _get(self, path: str) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(f"http://{self.host}:{self.port}{path}", timeout=_ANSWER_SECONDS) as answer:
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
