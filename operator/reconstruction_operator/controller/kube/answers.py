"""Answers: responses of the API server to kopf, which the feed reads first. Their JSON is parsed whatever tenants stored."""

from __future__ import annotations

from typing import Any

from aiohttp import ClientResponse

from reconstruction_operator.controller.kube import objects
from reconstruction_operator.kube import parsing


class Answer(ClientResponse):
    """A response whose JSON is parsed by `kube.parsing`."""

    async def json(self, **_: Any) -> Any:
        """Parse the whole body."""
        return parsing.parse(await self.read(), objects.report)

    def replace(self, body: bytes) -> None:
        """Replace the body, which was read or is not needed."""
        self._body = body
