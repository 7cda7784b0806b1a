"""Manifests in the pages: the API server accepts each job and each core object in a dry run."""

from __future__ import annotations

import json
from typing import Any

import yaml

from devcluster.harness.jobs import Jobs
from scripts.checks.pages import blocks
from tests.support.pages import texts

_OWN = ("v1", "reconstruction.dev/v1alpha1")  # the kinds of Velero and Argo CD are not served here
_JOB = {"apiVersion": _OWN[1], "kind": "ReconstructionJob", "metadata": {"name": "of-a-page"}}
_SPEC = {"input": {"uri": "file:///photos/banana"}}


def manifests() -> list[dict[str, Any]]:
    """Return the manifests of all pages; a block that has only a spec is a part of a job."""
    documents = [
        document for block in blocks(texts()) if block.language == "yaml" for document in yaml.safe_load_all(block.text)
    ]
    whole = [document for document in documents if document.get("apiVersion") in _OWN]
    return whole + [_JOB | {"spec": _SPEC | document["spec"]} for document in documents if document.keys() == {"spec"}]


def test_the_api_server_accepts_the_manifests_of_all_pages(jobs: Jobs) -> None:
    for manifest in manifests():
        manifest["metadata"].pop("namespace", None)
        sent = json.dumps(manifest)
        answer = jobs.system.cluster.kubectl("-n", jobs.namespace, "create", "--dry-run=server", "-f", "-", input=sent)
        assert "created (server dry run)" in answer.stdout
