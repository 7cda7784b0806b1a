"""SSRF: a download connects only to public or allowlisted addresses."""

from __future__ import annotations

from functools import partial

import pytest
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.https import addresses

PUBLIC, PRIVATE, NEVER = (True, True), (False, True), (False, False)  # for any host, and for one of the allowlist


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        pytest.param("93.184.215.14", PUBLIC, id="public"),
        pytest.param("2606:2800:21f:cb07:6820:80da:af6b:8b2c", PUBLIC, id="public IPv6"),
        pytest.param("127.0.0.1", PRIVATE, id="loopback"),
        pytest.param("0.0.0.0", NEVER, id="unspecified"),  # noqa: S104  # nothing is bound here
        pytest.param("100.64.0.1", PRIVATE, id="carrier NAT"),
        pytest.param("169.254.169.254", NEVER, id="metadata of a cloud"),
        pytest.param("224.0.0.1", NEVER, id="multicast"),
        pytest.param("255.255.255.255", NEVER, id="broadcast"),
        pytest.param("fe80::1%eth0", NEVER, id="link-local with a zone"),
        pytest.param("fd00::1", PRIVATE, id="unique local"),
        pytest.param("64:ff9b::a9fe:a9fe", NEVER, id="metadata behind NAT64"),
        pytest.param("64:ff9b::5db8:d70e", PUBLIC, id="public behind NAT64"),
        pytest.param("64:ff9b:1::a9fe:a9fe", NEVER, id="metadata behind a local NAT64"),
        pytest.param("fec0::1", PRIVATE, id="site-local"),
        pytest.param("not an address", NEVER, id="text"),
        pytest.param("fd00:ec2::254", NEVER, id="metadata of a cloud, IPv6"),
        pytest.param("::ffff:169.254.169.254", NEVER, id="metadata inside IPv6"),
        pytest.param("2002:a9fe:a9fe::", NEVER, id="metadata behind 6to4"),
        pytest.param("::a9fe:a9fe", NEVER, id="metadata in the old form"),
        pytest.param("::ffff:0:a9fe:a9fe", NEVER, id="metadata, translated"),
        pytest.param("2001:0:5db8:d70e:0:0:5601:5601", NEVER, id="metadata behind Teredo"),
        pytest.param("2001:0:a9fe:a9fe::", NEVER, id="metadata as Teredo's server"),
        pytest.param("2606:2800::5efe:a9fe:a9fe", NEVER, id="metadata behind ISATAP"),
        pytest.param("fd00::200:5efe:a9fe:a9fe", NEVER, id="metadata behind ISATAP, with the unique bit"),
    ],
)
def test_a_host_is_at_public_addresses_or_on_the_allowlist_at_private_ones(
    address: str, allowed: tuple[bool, bool]
) -> None:
    assert (addresses.is_public(address), addresses.may_be_private(address)) == allowed


def test_one_private_address_among_public_ones_refuses_the_host() -> None:
    with pytest.raises(StorageError, match=r"INPUT_REFUSED: host evil\.example is at 10\.0\.0\.1"):
        addresses.checked_addresses(
            "evil.example", 443, private_allowed=False, resolve=lambda *_: ["93.184.215.14", "10.0.0.1"]
        )


def test_one_special_address_refuses_a_host_of_the_allowlist() -> None:
    check = partial(addresses.checked_addresses, "nas", 443, private_allowed=True)
    assert check(resolve=lambda *_: ["10.0.0.1", "127.0.0.1"]) == ["10.0.0.1", "127.0.0.1"]
    with pytest.raises(
        StorageError, match=r"INPUT_REFUSED: host nas is at fe80::1, which is not an address of a server"
    ):
        check(resolve=lambda *_: ["10.0.0.1", "fe80::1"])


def test_host_without_an_address_is_unreachable() -> None:
    def resolve(_host: str, _port: int) -> list[str]:
        raise OSError("Name or service not known")

    with pytest.raises(StorageError, match="INPUT_UNREACHABLE: host nowhere has no address"):
        addresses.checked_addresses("nowhere", 443, private_allowed=False, resolve=resolve)
