"""System: it can follow another one on the same cluster."""

from devcluster import Cluster, Redis
from devcluster.harness.jobs import Jobs
from devcluster.harness.replicas import Lease
from devcluster.harness.system import QUICK_SETTINGS, System


def test_install_deletes_jobs_and_lease_of_an_earlier_system(
    cluster: Cluster, redis_server: Redis, redis_url: str, namespace: str
) -> None:
    with System(cluster, redis_server, settings=QUICK_SETTINGS) as earlier:
        earlier.install()
        earlier.start_operator()
        jobs = Jobs(earlier, namespace)
        name = jobs.create_in("Pending")
        assert Lease(cluster).holder

    with System(cluster, redis_server, settings=QUICK_SETTINGS) as later:
        later.install()

        assert Lease(cluster).spec() == {}
        jobs.wait_gone(name)
