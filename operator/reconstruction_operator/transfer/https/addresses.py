"""SSRF protection: the addresses that a download may connect to.

By default these are the public addresses only, so that a job cannot reach the cluster's network. A host of the
allowlist INPUT_HTTPS_HOSTS may also have a private address, but never one that no file server has: link-local (clouds
serve credentials at 169.254.169.254), unspecified, multicast or broadcast.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable

from reconstruction_operator.transfer.errors import StorageError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], list[str]]
"""Takes a host and a port, and returns the addresses of the host; raises OSError if there are none."""

_IPV4_INSIDE = (  # networks whose last 32 bits are an IPv4 address
    ipaddress.IPv6Network("::/96"),  # IPv4-compatible, RFC 4291
    ipaddress.IPv6Network("::ffff:0:0/96"),  # IPv4-mapped, RFC 4291
    ipaddress.IPv6Network("::ffff:0:0:0/96"),  # IPv4-translated, RFC 2765
    ipaddress.IPv6Network("64:ff9b::/96"),  # NAT64, RFC 6052
)
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")  # RFC 8215; the position of the IPv4 address varies
_ISATAP = 0x0200_5EFE  # RFC 5214: the 32 bits before the IPv4 address are this or 0x0000_5EFE
_PUBLIC_6 = (ipaddress.IPv6Network("2000::/3"), *_IPV4_INSIDE)  # other unicast addresses are site-local or unassigned
_BROADCAST = ipaddress.IPv4Address("255.255.255.255")
_METADATA_6 = ipaddress.IPv6Network("fd00:ec2::/32")  # AWS metadata, as 169.254.169.254


def resolve(host: str, port: int) -> list[str]:
    """Return all addresses of a host, from the system's resolver."""
    resolved = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in resolved))


def is_public(text: str) -> bool:
    """Return whether the address is public, including any IPv4 address embedded in it."""
    parts = _parts(text)
    return bool(parts) and all(map(_is_global, parts))


def may_be_private(text: str) -> bool:
    """Return whether a host of the allowlist may have the address: public, private or loopback."""
    parts = _parts(text)
    return bool(parts) and not any(map(_is_special, parts))


def checked_addresses(host: str, port: int, *, private_allowed: bool, resolve: Resolve) -> list[str]:
    """Return the addresses to connect to.

    One forbidden address is enough to refuse the host: an attacker's name server can mix addresses.

    Raises StorageError: INPUT_REFUSED, or INPUT_UNREACHABLE if the host has no address.
    """
    try:
        resolved = resolve(host, port)
    except (OSError, UnicodeError) as error:
        raise StorageError("INPUT_UNREACHABLE", f"host {host} has no address: {error}") from None
    if not resolved:
        raise StorageError("INPUT_UNREACHABLE", f"host {host} has no address")
    is_allowed, kind = (
        (may_be_private, "an address of a server") if private_allowed else (is_public, "a public address")
    )
    refused = [address for address in resolved if not is_allowed(address)]
    if refused:
        raise StorageError("INPUT_REFUSED", f"host {host} is at {refused[0]}, which is not {kind}")
    return resolved


def _parts(text: str) -> tuple[Address, ...]:
    """Return the address and the IPv4 addresses embedded in it; empty if the text is not an address."""
    try:
        address: Address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return ()
    return (address, *_embedded(address))


def _is_global(address: Address) -> bool:
    is_assigned = isinstance(address, ipaddress.IPv4Address) or any(address in network for network in _PUBLIC_6)
    return is_assigned and address.is_global and not address.is_multicast


def _is_special(address: Address) -> bool:
    return (
        address.is_link_local
        or address.is_unspecified
        or address.is_multicast
        or address == _BROADCAST
        or address in _METADATA_6
        or address in _LOCAL_NAT64
    )


def _embedded(address: Address) -> tuple[Address, ...]:
    if isinstance(address, ipaddress.IPv4Address):
        return ()
    embedded = [address.sixtofour, *(address.teredo or ())]
    is_isatap = int(address) >> 32 & 0xFFFFFFFF | 0x0200_0000 == _ISATAP
    if is_isatap or any(address in network for network in _IPV4_INSIDE):
        embedded.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return tuple(address for address in embedded if address is not None)
