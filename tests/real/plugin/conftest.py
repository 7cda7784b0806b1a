"""`kubectl recon` as a user runs it, on the shared system."""

from __future__ import annotations

import pytest

from devcluster.harness.jobs import Jobs
from tests.support.plugin import Program


@pytest.fixture
def recon(jobs: Jobs) -> Program:
    """The program, in the namespace of `jobs`."""
    return Program(jobs.system.cluster.kubeconfig, jobs.namespace)


@pytest.fixture
def tenant(jobs: Jobs) -> Program:
    """The program with the role `reconstruction-editor` in the namespace of `jobs`, and no other right."""
    kubectl, where = jobs.system.cluster.kubectl, ("-n", jobs.namespace)
    kubectl(*where, "create", "serviceaccount", "tenant")
    account = f"--serviceaccount={jobs.namespace}:tenant"
    kubectl(*where, "create", "rolebinding", "tenant", "--clusterrole=reconstruction-editor", account)
    return Program(jobs.system.cluster.service_account_kubeconfig(jobs.namespace, "tenant"), jobs.namespace)
