"""`submit --dry-run` without a cluster: checks the photos and prints the manifest."""

from __future__ import annotations

import subprocess
from pathlib import Path

import yaml

from tests.support.plugin import run_program


def dry_run(*arguments: str | Path, kubeconfig: str | Path = "/nowhere") -> subprocess.CompletedProcess[str]:
    return run_program("submit", "--dry-run", *arguments, KUBECONFIG=str(kubeconfig), RECON_UPLOAD="")


def test_a_dry_run_needs_neither_a_cluster_nor_an_upload_address(photos: Path) -> None:
    done = dry_run(photos, "--force", "--quality", "fast")

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("# input.uri is an example: ")
    manifest = yaml.safe_load(done.stdout)
    assert manifest["metadata"] == {"name": "my-vase"}
    assert manifest["spec"] == {"input": {"uri": "file:///photos/my-vase"}, "parameters": {"quality": "fast"}}
    assert "3 photos (JPEG)" in done.stderr
    assert "note: quality high takes about " in done.stderr
    assert "3 files would go to the gallery, if the cluster has one" in done.stderr
    assert "not checked by the API server: no API server: there is no kubeconfig at /nowhere" in done.stderr
