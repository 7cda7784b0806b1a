"""Health of the installation: what its operator publishes for every user, read again and again."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from reconstruction_operator.contract import info, installation
from reconstruction_operator.contract.installation import Installation, Problem
from reconstruction_operator.kube import paths
from reconstruction_operator.kube.client import Api
from reconstruction_operator.kube.errors import ApiError

_PERIOD_SECONDS: Final = 3.0
_PATH: Final = paths.core(info.NAMESPACE, "configmaps")
_MOST: Final = "100"  # installations


@dataclass(eq=False)
class Health:
    """What the operators of `namespace` publish, and their problems, as `kubectl recon` names them."""

    namespace: str
    problems: tuple[Problem, ...] = ()
    installations: tuple[Installation, ...] = ()

    @property
    def texts(self) -> list[str]:
        """The JSON of each installation."""
        return [one.info.text() for one in self.installations]

    async def follow(self, api: Api) -> None:
        """Read until cancelled. While the API server does not respond, what was read last stays."""
        while True:
            with contextlib.suppress(ApiError):
                await self.read(api)
            await asyncio.sleep(_PERIOD_SECONDS)

    async def read(self, api: Api) -> None:
        """Read once. Raises ApiError."""
        try:
            body = await api.get(_PATH, labelSelector=info.SELECTOR, limit=_MOST)
        except ApiError as error:
            if error.status not in (HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN):
                raise
            body = dict[str, Any]()
        now = api.now()
        bodies = body.get("items") or ()
        every = installation.published(bodies, now)
        self.problems = tuple(installation.problems(every, self.namespace, now))
        self.installations = tuple(one for one in every if one.namespace == self.namespace)
