"""Fixtures of the chart, rendered by a real helm without a cluster.

pytest's cache keeps helm's answers until the chart or helm changes: one takes 60 to 200 ms of CPU, and the tests need
250.
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
from typing import Any

import pytest
import yaml

from devcluster.programs.helm import helm, helm_program
from tests.support.chart import APIS, Answer, Ask, Objects, Refuse, Render
from tests.support.paths import CHART

NAMESPACE = "recon"


def _answer(command: tuple[str, ...], stdin: str) -> Answer:
    done = helm(*command, CHART, stdin=stdin, check=False)
    if command[0] != "template" or done.returncode:
        return Answer(done.returncode, done.stdout, done.stderr)
    return Answer(0, json.dumps([*filter(None, yaml.load_all(done.stdout, yaml.CSafeLoader))]), done.stderr)


def _digest() -> str:
    """Return the digest of everything that determines helm's answers about the chart."""
    program = helm_program()
    digest = hashlib.sha256(f"{program} {program.stat().st_mtime_ns} {Path(__file__).read_text()}".encode())
    for path in sorted(path for path in CHART.rglob("*") if path.is_file()):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(CHART)} {len(content)}\n".encode() + content)
    return digest.hexdigest()


@pytest.fixture(scope="session")
def ask(pytestconfig: pytest.Config) -> Ask:
    """A function that runs helm, or returns its cached answer."""
    assert pytestconfig.cache is not None
    folder = pytestconfig.cache.mkdir("helm") / _digest()
    for outdated in folder.parent.iterdir():
        if outdated != folder:
            shutil.rmtree(outdated, ignore_errors=True)
    folder.mkdir(exist_ok=True)

    @functools.cache
    def remembered(*command: str, stdin: str = "") -> Answer:
        file = folder / f"{hashlib.sha256(json.dumps([command, stdin]).encode()).hexdigest()}.json.gz"
        if file.exists():
            return Answer(*json.loads(gzip.decompress(file.read_bytes())))
        answer = _answer(command, stdin)
        new = file.with_suffix(f".{os.getpid()}")
        new.write_bytes(gzip.compress(json.dumps(answer).encode(), 1))
        new.replace(file)
        return answer

    return remembered


@pytest.fixture(scope="session")
def render(ask: Ask) -> Render:
    """A function from values to objects. Options: `apis` of the cluster, and the `release`."""

    def rendered(
        values: Mapping[str, Any] | None = None, *, apis: tuple[str, ...] = APIS, release: str = "reconstruction"
    ) -> Objects:
        answer = ask(*_template(apis, release), stdin=json.dumps(values or {}))
        assert (answer.status, answer.stderr) == (0, "")
        manifests = json.loads(answer.stdout)
        objects = {f"{manifest['kind']}/{manifest['metadata']['name']}": manifest for manifest in manifests}
        assert len(objects) == len(manifests), "two objects have the same name"
        return objects

    return rendered


@pytest.fixture(scope="session")
def refuse(ask: Ask) -> Refuse:
    """A function from values that must be rejected to the message."""

    def refused(values: Mapping[str, Any], *, apis: tuple[str, ...] = APIS) -> str:
        answer = ask(*_template(apis, "reconstruction"), stdin=json.dumps(values))
        assert answer.status == 1, answer.stdout
        return answer.stderr

    return refused


def _template(apis: tuple[str, ...], release: str) -> tuple[str, ...]:
    options = (f"--api-versions={api}" for api in apis)
    return ("template", release, "--namespace", NAMESPACE, "--values", "-", *options)
