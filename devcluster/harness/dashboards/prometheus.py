"""Prometheus for as long as a `with` block: its targets, and queries."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import yaml

from devcluster.errors import DevclusterError
from devcluster.programs.toolchain import prometheus_program
from devcluster.servers.server import HttpServer


@dataclass(frozen=True)
class Target:
    """A port of 127.0.0.1 with /metrics. `labels` are those that service discovery adds in a cluster."""

    job: str
    port: int
    labels: Mapping[str, str] = field(default_factory=dict)


class Prometheus(HttpServer):
    """A running Prometheus that scrapes `targets` every second, and has `rules` files."""

    name = "prometheus"
    health = "/-/ready"

    def __init__(self, targets: Sequence[Target], *, rules: Sequence[Path] = (), scrape_seconds: int = 1) -> None:
        self._configuration = _configuration(targets, rules, scrape_seconds)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the series of an instant query: [{"metric": {label: value}, "value": [time, text]}]."""
        return self._series("query", query=expression)

    def query_range(self, expression: str, *, start: float, end: float, step_seconds: float) -> list[dict[str, Any]]:
        """Return the series of a range query, as a panel sends it; times are Unix seconds.

        They are [{"metric": {label: value}, "values": [[time, text], …]}].
        """
        return self._series("query_range", query=expression, start=str(start), end=str(end), step=str(step_seconds))

    def rules(self) -> list[dict[str, Any]]:
        """Return every rule with its health and, for alerts, its state."""
        groups = self._get("/api/v1/rules")["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def _series(self, kind: str, **parameters: str) -> list[dict[str, Any]]:
        answer = self._get(f"/api/v1/{kind}?{urllib.parse.urlencode(parameters)}")
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    def _command(self) -> Sequence[str | Path]:
        file = self.folder / "prometheus.yml"
        file.write_text(yaml.safe_dump(self._configuration))
        return [
            prometheus_program("prometheus"),
            f"--config.file={file}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address={self.host}:{self.port}",
            "--log.level=warn",
        ]

    def _get(self, path: str) -> dict[str, Any]:
        status, text = self.read(path)
        if status != HTTPStatus.OK:
            raise DevclusterError(f"Prometheus rejects {path}: {text}")
        body: dict[str, Any] = json.loads(text)
        return body


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
