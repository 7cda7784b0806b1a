"""`kubectl recon` as a user runs it, on the shared system."""

from __future__ import annotations

import pytest

from devcluster.harness.jobs import Jobs
from tests.support.plugin import Program


@pytest.fixture
def recon(jobs: Jobs) -> Program:
    """The program, in the namespace of `jobs`."""
    return Program(jobs.system.cluster.kubeconfig, jobs.namespace)
