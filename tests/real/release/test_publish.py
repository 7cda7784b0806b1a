"""`make publish` to a registry and a Python index on this machine, and the lint of the workflows that run it."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import tarfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from devcluster.programs.building import ACTIONLINT, GoProgram, built
from devcluster.servers.ports import free_ports
from devcluster.waiting import wait_until
from scripts.checks import versions
from scripts.release import images, packages, sbom
from tests.support.archives import tarred
from tests.support.paths import CHECKOUT

pytestmark = [pytest.mark.release, pytest.mark.timeout(3600)]  # builds cosign
EPOCH = 1_790_000_000
CHART_VERSION, VERSION = versions.chart_versions(CHECKOUT)


def run(*command: str | Path, **environment: str) -> str:
    environment = os.environ | {"OWNER": "owner"} | environment
    done = subprocess.run(command, env=environment, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def tool(name: str) -> Path:
    return built(GoProgram(name, package="tool")) / name


def write_image(dist: Path, name: str, architecture: str) -> None:
    """Write the archive and the SBOM of an image with an empty layer."""
    layer = bytes(10240)
    layers = {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]}
    config = json.dumps({"architecture": architecture, "os": "linux", "config": {}, "rootfs": layers}).encode()
    manifest = json.dumps([{"Config": "config", "RepoTags": [f"{name}:{VERSION}"], "Layers": ["layer"]}]).encode()
    archive = tarred(("manifest.json", manifest), ("config", config), ("layer", layer))
    file = dist / f"{name}-{VERSION}-linux-{architecture}"
    Path(f"{file}.tar.gz").write_bytes(gzip.compress(archive))
    Path(f"{file}.cdx.json").write_text(sbom.document(name, VERSION, "container", [], EPOCH))


@pytest.fixture
def registry() -> Iterator[str]:
    (port,) = free_ports(1)
    with subprocess.Popen([tool("crane"), "registry", "serve", f"--address=127.0.0.1:{port}"]) as server:
        wait_until(lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/"), "the registry to answer")
        yield f"127.0.0.1:{port}/owner"
        server.terminate()


def test_images_and_chart_are_published_and_signed(registry: str, tmp_path: Path) -> None:
    for architecture, targets in images.TARGETS.items():
        for target in targets:
            write_image(tmp_path, f"reconstruction-{target}", architecture)
    packages.build_chart(tmp_path, EPOCH)
    local = {"DIST": str(tmp_path), "REGISTRY": registry, "COSIGN_PASSWORD": "", "HTTPS_PROXY": "http://127.0.0.1:9"}
    run(tool("cosign"), "generate-key-pair", f"--output-key-prefix={tmp_path}/key", **local)
    local["COSIGN_ARGS"] = f"--key {tmp_path}/key.key --use-signing-config=false --tlog-upload=false"
    for part in ("images", "chart"):
        run("make", "publish", f"PUBLISH={part}", **local)

    index = json.loads(run(tool("crane"), "manifest", f"{registry}/reconstruction-operator:{VERSION}"))
    assert [entry["platform"]["architecture"] for entry in index["manifests"]] == ["amd64", "arm64"]
    verify = (f"--key={tmp_path}/key.pub", "--insecure-ignore-tlog")
    for name in (f"reconstruction-worker:{VERSION}", f"charts/reconstruction-operator:{CHART_VERSION}"):
        run(tool("cosign"), "verify", *verify, f"{registry}/{name}", **local)
    described = f"{registry}/reconstruction-operator@{index['manifests'][1]['digest']}"
    run(tool("cosign"), "verify-attestation", *verify, "--type=cyclonedx", described, **local)


def test_the_workflows_are_valid() -> None:
    run(built(ACTIONLINT) / "actionlint")


def test_the_notes_are_a_section_of_the_changelog() -> None:
    oldest = (CHECKOUT / "CHANGELOG.md").read_text().rpartition("\n## [")[2]
    notes = run("scripts/publish", "notes", VERSION=oldest.partition("]")[0])
    assert [line for line in oldest.splitlines()[1:] if line] == notes.splitlines()


def test_the_metadata_of_the_headlamp_plugin_name_its_archive(tmp_path: Path) -> None:
    packages.build_headlamp(tmp_path, EPOCH, "owner")
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as content:
        assert {"./reconstruction-headlamp/main.js", "./reconstruction-headlamp/package.json"} <= {*content.getnames()}
        assert {entry.mtime for entry in content} == {EPOCH}
    stated = yaml.safe_load((tmp_path / "artifacthub-pkg.yml").read_text())
    about = {key.removeprefix("headlamp/plugin/"): text for key, text in stated["annotations"].items()}
    assert about["archive-checksum"] == f"sha256:{hashlib.sha256(archive.read_bytes()).hexdigest()}"
    assert about["archive-url"].endswith(
        f"github.com/owner/reconstruction-operator/releases/download/v{VERSION}/{archive.name}"
    )
    assert stated["createdAt"] == "2026-09-21T14:13:20Z"
