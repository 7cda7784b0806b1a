"""Azure containers on an emulator, accessed by signed requests of the Blob service's REST API."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from types import MappingProxyType
from typing import Final
from urllib.parse import quote, urlencode
from xml.etree import ElementTree as ET

from devcluster.servers.storage.emulators import Azurite

_VERSION: Final = "2023-11-03"
_EMPTY: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True)
class Container:
    """A container."""

    server: Azurite
    name: str

    @classmethod
    def new(cls, server: Azurite, name: str) -> Container:
        """Make a container."""
        container = cls(server, name)
        container._ask("PUT", query={"restype": "container"})
        return container

    @property
    def address(self) -> str:
        return f"az://{self.name}"

    def put(self, key: str, content: bytes) -> None:
        self._ask("PUT", key, body=content, headers={"x-ms-blob-type": "BlockBlob"})

    def get(self, key: str) -> bytes:
        return self._ask("GET", key)

    def delete(self, key: str) -> None:
        self._ask("DELETE", key)

    @property
    def keys(self) -> list[str]:
        return self._keys("")

    @property
    def unfinished_uploads(self) -> list[str]:
        return sorted({*self._keys("uncommittedblobs")} - {*self.keys})

    def _keys(self, include: str) -> list[str]:
        query = {"restype": "container", "comp": "list"} | ({"include": include} if include else {})
        listing = ET.fromstring(self._ask("GET", query=query))  # noqa: S314  # from a server that this test started
        return sorted(element.text or "" for element in listing.iter("Name"))

    def _ask(
        self,
        method: str,
        key: str = "",
        *,
        query: Mapping[str, str] = _EMPTY,
        body: bytes = b"",
        headers: Mapping[str, str] = _EMPTY,
    ) -> bytes:
        account = self.server.account
        path = quote(f"/{account}/{self.name}/{key}".rstrip("/"))
        sent = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": _VERSION, **headers}
        signed = [f"{name}:{value}" for name, value in sorted(sent.items())]
        resource = "\n".join([f"/{account}{path}", *(f"{name}:{value}" for name, value in sorted(query.items()))])
        length = str(len(body) or "")
        text = "\n".join(
            [method, "", "", length, *[""] * 8, *signed, resource]
        )  # the others are headers that are not sent
        digest = hmac.new(base64.b64decode(self.server.key), text.encode(), hashlib.sha256).digest()
        sent["Authorization"] = f"SharedKey {account}:{base64.b64encode(digest).decode()}"
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.server.port)) as connection:
            connection.request(method, f"{path}?{urlencode(query)}" if query else path, body, sent)
            response = connection.getresponse()
            content = response.read()
        if response.status >= http.client.BAD_REQUEST:
            raise AssertionError(f"{method} {path}: {response.status} {content!r:.300}")
        return content
