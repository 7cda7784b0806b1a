"""SSRF: a download connects only to public or allowlisted addresses."""

from __future__ import annotations

import pytest
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.https import addresses


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        pytest.param("93.184.215.14", True, id="public"),
        pytest.param("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True, id="public IPv6"),
        pytest.param("127.0.0.1", False, id="loopback"),
        pytest.param("127.8.8.8", False, id="all of loopback"),
        pytest.param("0.0.0.0", False, id="unspecified"),  # noqa: S104  # nothing is bound here
        pytest.param("10.0.0.1", False, id="private 10"),
        pytest.param("172.16.0.1", False, id="private 172"),
        pytest.param("192.168.1.1", False, id="private 192"),
        pytest.param("100.64.0.1", False, id="carrier NAT"),
        pytest.param("169.254.169.254", False, id="metadata of a cloud"),
        pytest.param("198.18.0.1", False, id="benchmarking"),
        pytest.param("224.0.0.1", False, id="multicast"),
        pytest.param("255.255.255.255", False, id="broadcast"),
        pytest.param("::1", False, id="loopback IPv6"),
        pytest.param("::", False, id="unspecified IPv6"),
        pytest.param("fe80::1%eth0", False, id="link-local with a zone"),
        pytest.param("fd00::1", False, id="unique local"),
        pytest.param("ff02::1", False, id="multicast IPv6"),
        pytest.param("::ffff:127.0.0.1", False, id="loopback inside IPv6"),
        pytest.param("::ffff:10.0.0.1", False, id="private inside IPv6"),
        pytest.param("::127.0.0.1", False, id="loopback in the old form"),
        pytest.param("64:ff9b::7f00:1", False, id="loopback behind NAT64"),
        pytest.param("64:ff9b::a9fe:a9fe", False, id="metadata behind NAT64"),
        pytest.param("2002:7f00:1::", False, id="loopback behind 6to4"),
        pytest.param("2002:a00:1::", False, id="private behind 6to4"),
        pytest.param("64:ff9b::5db8:d70e", True, id="public behind NAT64"),
        pytest.param("64:ff9b:1::7f00:1", False, id="loopback behind a local NAT64"),
        pytest.param("64:ff9b:1::a9fe:a9fe", False, id="metadata behind a local NAT64"),
        pytest.param("64:ff9b:1:a9fe:a9:fe00::", False, id="metadata behind one with a shorter prefix"),
        pytest.param("::ffff:0:7f00:1", False, id="loopback, translated"),
        pytest.param("::ffff:0:a00:1", False, id="private, translated"),
        pytest.param("2001:0:5db8:d70e:0:0:80ff:fffe", False, id="loopback behind Teredo"),
        pytest.param("2606:2800::5efe:7f00:1", False, id="loopback behind ISATAP"),
        pytest.param("2606:2800::200:5efe:a00:1", False, id="private behind ISATAP, with the unique bit"),
        pytest.param("fec0::1", False, id="site-local"),
        pytest.param("5f00::1", False, id="segments of routes"),
        pytest.param("4000::1", False, id="unassigned"),
        pytest.param("not an address", False, id="text"),
    ],
)
def test_only_public_addresses_are_public(address: str, expected: bool) -> None:
    assert addresses.is_public(address) is expected


def test_one_private_address_among_public_ones_refuses_the_host() -> None:
    with pytest.raises(StorageError, match=r"INPUT_REFUSED: host evil\.example is at 10\.0\.0\.1"):
        addresses.checked_addresses(
            "evil.example", 443, private_allowed=False, resolve=lambda *_: ["93.184.215.14", "10.0.0.1"]
        )


@pytest.mark.parametrize(
    "address", ["93.184.215.14", "10.0.0.1", "192.168.1.1", "127.0.0.1", "::1", "fd00::1", "fec0::1"]
)
def test_allowlisted_host_may_be_private(address: str) -> None:
    found = addresses.checked_addresses("nas", 443, private_allowed=True, resolve=lambda *_: [address])
    assert found == [address]


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("169.254.169.254", id="metadata of a cloud"),
        pytest.param("fd00:ec2::254", id="metadata of a cloud, IPv6"),
        pytest.param("fe80::1%eth0", id="link-local with a zone"),
        pytest.param("::ffff:169.254.169.254", id="metadata inside IPv6"),
        pytest.param("64:ff9b::a9fe:a9fe", id="metadata behind NAT64"),
        pytest.param("2002:a9fe:a9fe::", id="metadata behind 6to4"),
        pytest.param("::a9fe:a9fe", id="metadata in the old form"),
        pytest.param("::ffff:0:a9fe:a9fe", id="metadata, translated"),
        pytest.param("64:ff9b:1::a9fe:a9fe", id="metadata behind a local NAT64"),
        pytest.param("64:ff9b:1:a9fe:a9:fe00::", id="metadata behind one with a shorter prefix"),
        pytest.param("64:ff9b:1::7f00:1", id="loopback behind a local NAT64"),
        pytest.param("2001:0:5db8:d70e:0:0:5601:5601", id="metadata behind Teredo"),
        pytest.param("2001:0:a9fe:a9fe::", id="metadata as Teredo's server"),
        pytest.param("2606:2800::5efe:a9fe:a9fe", id="metadata behind ISATAP"),
        pytest.param("fd00::200:5efe:a9fe:a9fe", id="metadata behind ISATAP, with the unique bit"),
        pytest.param("0.0.0.0", id="unspecified"),  # noqa: S104  # nothing is bound here
        pytest.param("::", id="unspecified IPv6"),
        pytest.param("::ffff:0.0.0.0", id="unspecified inside IPv6"),
        pytest.param("224.0.0.1", id="multicast"),
        pytest.param("ff02::1", id="multicast IPv6"),
        pytest.param("255.255.255.255", id="broadcast"),
        pytest.param("not an address", id="text"),
    ],
)
def test_allowlisted_host_is_never_at_a_special_address(address: str) -> None:
    with pytest.raises(StorageError, match=r"INPUT_REFUSED: host nas is at .*, which is not an address of a server"):
        addresses.checked_addresses("nas", 443, private_allowed=True, resolve=lambda *_: ["10.0.0.1", address])


def test_host_without_an_address_is_unreachable() -> None:
    def resolve(_host: str, _port: int) -> list[str]:
        raise OSError("Name or service not known")

    with pytest.raises(StorageError, match="INPUT_UNREACHABLE: host nowhere has no address"):
        addresses.checked_addresses("nowhere", 443, private_allowed=False, resolve=resolve)
