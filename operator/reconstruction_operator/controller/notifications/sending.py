"""Sending: one POST of an event, to an address that the settings permit.

The guards are those of downloads (`transfer.https`): the host is on an allowlist, each of its addresses is checked,
and the connection goes to a checked address (SSRF, DNS rebinding). Redirections are refused.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from reconstruction_operator.controller.notifications import signature
from reconstruction_operator.controller.notifications.cloudevent import CloudEvent
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.https import addresses

_TIMEOUT_SECONDS: Final = 10.0
_PORTS: Final = {"http": 80, "https": 443}


class DeliveryError(Exception):
    """The receiver did not accept an event.

    `refused`: by our own rules, or since it redirects. `down`: no event for this address has a chance now.
    """

    def __init__(self, message: str, *, refused: bool = False, down: bool = False) -> None:
        super().__init__(message)
        self.refused = refused
        self.down = down


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends events. `hosts`: the allowlist. `keys`: the folder with the keys; None: events are not signed."""

    hosts: tuple[str, ...]
    keys: Path | None
    resolve: addresses.Resolve = addresses.resolve
    seconds: Callable[[], float] = time.time
    tls: ssl.SSLContext | None = None  # with the trusted roots; None: the system's

    async def send(self, url: str, event: CloudEvent, key_name: str) -> None:
        """POST the event. Raises DeliveryError."""
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        if host not in {name.lower() for name in self.hosts}:
            raise DeliveryError(f"host {host} is not on the allowlist (NOTIFICATION_HOSTS)", refused=True)
        headers = {**event.headers, **self._signed(event, key_name)}
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                permitted = await asyncio.to_thread(
                    addresses.checked_addresses, host, port, private_allowed=True, resolve=self.resolve
                )
                status = await self._post(url, headers, event.body, permitted)
        except StorageError as error:
            refused = error.reason == "INPUT_REFUSED"
            raise DeliveryError(error.message, refused=refused, down=not refused) from None
        except TimeoutError:
            raise DeliveryError(f"host {host} did not respond within {_TIMEOUT_SECONDS:.0f} s", down=True) from None
        except (aiohttp.ClientError, OSError) as error:
            raise DeliveryError(f"host {host} cannot be reached: {error}", down=True) from None
        _check_status(status, host)

    def _signed(self, event: CloudEvent, key_name: str) -> dict[str, str]:
        if self.keys is None:
            return {}
        try:
            key = signature.load_key(self.keys, key_name)
        except signature.KeyFileError as error:
            raise DeliveryError(str(error), refused=True) from None
        return dict(signature.signed(key, event.id, int(self.seconds()), event.body))

    async def _post(self, url: str, headers: dict[str, str], body: bytes, permitted: list[str]) -> int:
        connector = aiohttp.TCPConnector(resolver=_Pinned(permitted), use_dns_cache=False, ssl=self.tls or True)
        async with (
            aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.post(
                url,
                data=body,
                headers={**headers, "User-Agent": "reconstruction-operator"},
                allow_redirects=False,
            ) as response,
        ):
            return response.status  # its body is not read


class _Pinned(AbstractResolver):
    """Resolves a host to the addresses that were checked."""

    def __init__(self, permitted: list[str]) -> None:
        self._permitted = permitted

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        del family
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._permitted
        ]

    async def close(self) -> None:
        """Close nothing."""


def _check_status(status: int, host: str) -> None:
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        raise DeliveryError(f"host {host} redirects (HTTP {status}), which is not followed", refused=True)
    down = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS
    raise DeliveryError(f"host {host} responded with HTTP {status}", down=down)
