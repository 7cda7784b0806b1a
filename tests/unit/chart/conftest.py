"""Rendering of the chart by a real helm, without a cluster.

What helm rendered is kept in pytest's cache for as long as neither the chart nor helm changes: a render takes 60 ms of CPU,
and the tests ask for 200.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest
import yaml

from devcluster.programs.helm import helm, helm_program
from tests.support.chart import Objects, Refuse, Render
from tests.support.paths import CHART

NAMESPACE = "recon"

Rendered = tuple[int, str, str]
"""Helm's exit status, the objects as JSON (none after a failure), and its stderr."""


class Templated(Protocol):
    def __call__(self, chart: Path, values: str, apis: tuple[str, ...], release: str) -> Rendered: ...


def _rendered(chart: Path, values: str, apis: tuple[str, ...], release: str) -> Rendered:
    options = [f"--api-versions={api}" for api in apis]
    command = ("template", release, chart, "--namespace", NAMESPACE, "--values", "-", *options)
    done = helm(*command, stdin=values, check=False)
    found = [one for one in yaml.load_all(done.stdout, yaml.CSafeLoader) if one] if done.returncode == 0 else []
    return done.returncode, json.dumps(found), done.stderr


def _digest() -> str:
    """Of all that decides how helm renders the chart."""
    program = helm_program()
    digest = hashlib.sha256(f"{program} {program.stat().st_mtime_ns} {Path(__file__).read_text()}".encode())
    for path in sorted(one for one in CHART.rglob("*") if one.is_file()):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(CHART)} {len(content)}\n".encode() + content)
    return digest.hexdigest()


@pytest.fixture(scope="session")
def templated(pytestconfig: pytest.Config) -> Templated:
    """Runs helm, or remembers what it answered."""
    assert pytestconfig.cache is not None
    folder = pytestconfig.cache.mkdir("helm") / _digest()
    for outdated in folder.parent.iterdir():
        if outdated != folder:
            shutil.rmtree(outdated, ignore_errors=True)
    folder.mkdir(exist_ok=True)

    @functools.cache
    def remembered(chart: Path, values: str, apis: tuple[str, ...], release: str) -> Rendered:
        if chart != CHART:
            return _rendered(chart, values, apis, release)
        key = json.dumps([values, apis, release])
        file = folder / f"{hashlib.sha256(key.encode()).hexdigest()}.json.gz"
        if file.exists():
            status, objects, stderr = json.loads(gzip.decompress(file.read_bytes()))
            return status, objects, stderr
        answer = _rendered(chart, values, apis, release)
        new = file.with_suffix(f".{os.getpid()}")
        new.write_bytes(gzip.compress(json.dumps(answer).encode(), 1))
        new.replace(file)
        return answer

    return remembered


@pytest.fixture(scope="session")
def chart() -> Path:
    return CHART


@pytest.fixture(scope="session")
def render(templated: Templated) -> Render:
    """A function from values to objects; it may also take `apis` that the cluster has, the `release`, another `chart`."""

    def rendered(
        values: Mapping[str, Any] | None = None,
        *,
        apis: tuple[str, ...] = (),
        release: str = "reconstruction",
        chart: Path = CHART,
    ) -> Objects:
        status, text, stderr = templated(chart, json.dumps(values or {}), apis, release)
        assert (status, stderr) == (0, "")
        found = json.loads(text)
        by_name = {(one["kind"], one["metadata"]["name"]): one for one in found}
        assert len(by_name) == len(found), "two objects have the same name"
        return by_name

    return rendered


@pytest.fixture(scope="session")
def refuse(templated: Templated) -> Refuse:
    """A function from values that must be rejected to the message."""

    def refused(values: Mapping[str, Any], *, apis: tuple[str, ...] = ()) -> str:
        status, text, stderr = templated(CHART, json.dumps(values), apis, "reconstruction")
        assert status == 1, text
        return stderr

    return refused
