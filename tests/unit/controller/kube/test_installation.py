"""Installation: its id, and the records and jobs that belong to it."""

from __future__ import annotations

from reconstruction_operator import config
from reconstruction_operator.controller.kube.installation import default_install_id

CLUSTER = "7b7c6c2e-0000-4000-8000-000000000001"


def test_the_id_with_the_usual_lease_is_that_of_the_cluster() -> None:
    assert default_install_id(CLUSTER, (config.settings.OPERATOR_NAMESPACE, config.settings.LEASE_NAME)) == CLUSTER


def test_installations_in_one_cluster_have_different_ids() -> None:
    leases = [("team-a", "recon"), ("team-b", "recon"), ("team-a", "other"), ("team", "a-recon")]

    assert len({CLUSTER, *(default_install_id(CLUSTER, lease) for lease in leases)}) == 1 + len(leases)


def test_the_id_of_an_installation_never_changes() -> None:
    assert default_install_id(CLUSTER, ("team-a", "recon")) == "f6477138-9e32-5f29-b739-69c3dbb81bdc"
