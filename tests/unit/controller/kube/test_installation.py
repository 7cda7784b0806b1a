"""Installation: its id, its shards, and the records and jobs that belong to it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from reconstruction_operator import config
from reconstruction_operator.api.status import InstallationMark, Status
from reconstruction_operator.contract.records import Record
from reconstruction_operator.controller.kube.installation import Installation, default_install_id
from reconstruction_operator.planning.shards import WHOLE, Shard
from reconstruction_operator.planning.types import Management

from tests.support.jobs import make_job

CLUSTER = "7b7c6c2e-0000-4000-8000-000000000001"


def test_the_id_with_the_usual_lease_is_that_of_the_cluster() -> None:
    assert default_install_id(CLUSTER, (config.settings.OPERATOR_NAMESPACE, config.settings.LEASE_NAME)) == CLUSTER


def test_installations_in_one_cluster_have_different_ids() -> None:
    leases = [("team-a", "recon"), ("team-b", "recon"), ("team-a", "other"), ("team", "a-recon")]

    assert len({CLUSTER, *(default_install_id(CLUSTER, lease) for lease in leases)}) == 1 + len(leases)


def test_the_id_of_an_installation_never_changes() -> None:
    assert default_install_id(CLUSTER, ("team-a", "recon")) == "f6477138-9e32-5f29-b739-69c3dbb81bdc"


@pytest.mark.parametrize(
    ("install_id", "namespaces", "owned"),
    [
        pytest.param("here", (), True, id="all namespaces"),
        pytest.param("here", ("team-a",), True, id="its namespace"),
        pytest.param("here", ("team-b",), False, id="another namespace"),
        pytest.param("there", (), False, id="another installation"),
    ],
)
def test_records_of_other_installations_and_namespaces_are_not_owned(
    install_id: str, namespaces: tuple[str, ...], owned: bool
) -> None:
    record = Record("here", "team-a", "banana", 1, "celery")

    assert Installation(install_id, namespaces).owns(record) is owned


def test_a_shard_is_an_installation_of_its_own() -> None:
    ours = Installation.of("id", ("system", "operator"), (), Shard(2, 3))

    assert (ours.id, ours.lease) == ("id-2-of-3", "system/operator-2-of-3")
    assert Installation.of("id", ("system", "operator"), (), WHOLE) == Installation("id", (), "system/operator")


def test_the_siblings_are_the_shards_of_other_counts() -> None:
    marks = Installation.of("id", ("system", "operator"), (), Shard(1, 3)).siblings()

    assert InstallationMark("id", "system/operator") in marks
    assert InstallationMark("id-1-of-2", "system/operator-1-of-2") in marks
    assert InstallationMark("id-2-of-3", "system/operator-2-of-3") not in marks


@pytest.mark.parametrize(
    ("mark", "taken"),
    [
        pytest.param(InstallationMark("other", "system/other"), True, id="another installation"),
        pytest.param(InstallationMark("id-1-of-3", "system/operator-1-of-3"), False, id="a shard of ours"),
    ],
)
def test_a_job_is_taken_over_by_another_installation_and_not_by_a_shard(mark: InstallationMark, *, taken: bool) -> None:
    job = replace(make_job(Status(installation=mark)), management=Management.FOREIGN)

    assert Installation.of("id", ("system", "operator"), (), Shard(1, 2)).was_taken_over(job) is taken
