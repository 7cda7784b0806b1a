"""`scripts/base-images` asks a real registry for the digests of the tags."""

from __future__ import annotations

import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from devcluster.programs.building import GoProgram, built
from devcluster.servers.ports import free_ports
from devcluster.waiting import wait_until
from tests.support.archives import tarred
from tests.support.paths import CHECKOUT

pytestmark = pytest.mark.release  # it builds a program that no other test needs
OUTDATED = f"sha256:{'0' * 64}"


def crane(*arguments: str | Path) -> str:
    program = built(GoProgram("crane", package="tool")) / "crane"
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def registry() -> Iterator[str]:
    (port,) = free_ports(1)
    program = built(GoProgram("crane", package="tool")) / "crane"
    with subprocess.Popen([program, "registry", "serve", f"--address=127.0.0.1:{port}"]) as server:
        wait_until(lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/"), "the registry to answer")
        yield f"127.0.0.1:{port}"
        server.terminate()


def push(image: str, content: bytes, folder: Path) -> str:
    """Push an image with one file, and return its digest."""
    layer = folder / "layer.tar"
    layer.write_bytes(tarred(("file", content)))
    crane("append", "--new_layer", layer, "--new_tag", image)
    return crane("digest", image)


def base_images(file: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([CHECKOUT / "scripts/base-images", file], capture_output=True, text=True, check=False)


def test_the_digests_follow_their_tags(registry: str, tmp_path: Path) -> None:
    python, debian = f"{registry}/library/python:3.13-slim", f"{registry}/library/debian:trixie"
    first = push(python, b"1", tmp_path)
    kept = push(debian, b"2", tmp_path)
    file = tmp_path / "Dockerfile"
    text = "ARG BASE_IMAGE={python}@{digest}\nFROM {debian}@{kept}\nFROM {python}@{digest} AS more\n"
    file.write_text(text.format(python=python, debian=debian, digest=OUTDATED, kept=kept))

    done = base_images(file)
    assert done.returncode == 0, done.stderr
    assert file.read_text() == text.format(python=python, debian=debian, digest=first, kept=kept)
    assert f"{debian} is current" in done.stderr

    second = push(python, b"3", tmp_path)
    assert second != first
    base_images(file)
    assert file.read_text() == text.format(python=python, debian=debian, digest=second, kept=kept)


def test_a_tag_that_its_registry_does_not_have_keeps_its_digest(registry: str, tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text(f"FROM {registry}/library/gone:1@{OUTDATED}\n")
    done = base_images(file)
    assert done.returncode == 1
    assert f"the registry gives no digest of {registry}/library/gone:1" in done.stderr
    assert OUTDATED in file.read_text()
