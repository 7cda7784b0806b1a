"""Names and addresses that follow from a node's number."""

import ipaddress

from devcluster.node.addresses import NUMBERS, SERVICE_RANGE, Addresses


def test_nodes_share_neither_addresses_nor_names() -> None:
    nodes = [Addresses(number) for number in NUMBERS]
    seen = [value for node in nodes for value in (node.name, node.machine, node.node)]
    assert len(set(seen)) == len(seen)


def test_link_names_are_not_longer_than_the_kernel_allows() -> None:
    assert max(len(Addresses(number).name) for number in NUMBERS) <= 15


def test_api_server_has_the_address_and_the_name_of_its_service() -> None:
    first = str(next(ipaddress.ip_network(SERVICE_RANGE).hosts()))
    assert first in Addresses(7).api_hosts
    assert "kubernetes.default.svc.cluster.local" in Addresses(7).api_hosts
