"""Rendering of the chart by a real helm, without a cluster."""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster.programs.helm import helm
from tests.support.chart import Objects, Refuse, Render
from tests.support.paths import CHART

NAMESPACE = "recon"


@functools.cache
def _templated(chart: Path, values: str, apis: tuple[str, ...], release: str) -> tuple[int, str, str]:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(values)
        file.flush()
        options = [f"--api-versions={api}" for api in apis]
        done = helm("template", release, chart, "--namespace", NAMESPACE, "--values", file.name, *options, check=False)
    return done.returncode, done.stdout, done.stderr


def _objects(text: str) -> Objects:
    found = [one for one in yaml.load_all(text, yaml.CSafeLoader) if one]
    by_name = {(one["kind"], one["metadata"]["name"]): one for one in found}
    assert len(by_name) == len(found), "two objects have the same name"
    return by_name


@pytest.fixture(scope="session")
def chart() -> Path:
    return CHART


@pytest.fixture(scope="session")
def render() -> Render:
    """A function from values to objects; it may also take `apis` that the cluster has, the `release`, another `chart`."""

    def rendered(
        values: Mapping[str, Any] | None = None,
        *,
        apis: tuple[str, ...] = (),
        release: str = "reconstruction",
        chart: Path = CHART,
    ) -> Objects:
        status, stdout, stderr = _templated(chart, json.dumps(values or {}), apis, release)
        assert (status, stderr) == (0, "")
        return _objects(stdout)

    return rendered


@pytest.fixture(scope="session")
def refuse() -> Refuse:
    """A function from values that must be rejected to the message."""

    def refused(values: Mapping[str, Any], *, apis: tuple[str, ...] = ()) -> str:
        status, stdout, stderr = _templated(CHART, json.dumps(values), apis, "reconstruction")
        assert status == 1, stdout
        return stderr

    return refused
