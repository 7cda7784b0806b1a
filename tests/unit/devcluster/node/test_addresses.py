"""Names and addresses that follow from a node's number."""

import ipaddress

from devcluster.node.addresses import NUMBERS, SERVICE_RANGE, Addresses


def test_no_two_nodes_share_an_address_or_a_name() -> None:
    nodes = [Addresses(number) for number in NUMBERS]
    seen = [value for node in nodes for value in (node.name, node.machine, node.node)]
    assert len(set(seen)) == len(seen)


def test_a_links_name_is_no_longer_than_the_kernel_takes() -> None:
    assert max(len(Addresses(number).name) for number in NUMBERS) <= 15


def test_the_api_server_is_known_by_the_address_of_its_service() -> None:
    first = str(next(ipaddress.ip_network(SERVICE_RANGE).hosts()))
    assert first in Addresses(7).api_hosts
    assert "kubernetes.default.svc.cluster.local" in Addresses(7).api_hosts
