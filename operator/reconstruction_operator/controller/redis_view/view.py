"""Redis view: the clients of one operator, and the facts that it reads with them."""

from __future__ import annotations

from dataclasses import dataclass

import redis.asyncio

from reconstruction_operator import config
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.controller.kube.lease import LeaderElection
from reconstruction_operator.controller.redis_view.catalogue import Catalogue
from reconstruction_operator.controller.redis_view.connection import RedisConnection
from reconstruction_operator.controller.redis_view.messages import SentMessages
from reconstruction_operator.controller.redis_view.observer import Observer
from reconstruction_operator.controller.redis_view.queues import QueueFacts
from reconstruction_operator.state import connections


@dataclass(frozen=True, slots=True)
class RedisView:
    """Facts and their owners.

    `connection`: reachability and epoch. `queues`: workers and lengths. `messages`: sent messages that are missing.
    `observer`: the silence of workers. `catalogue`: the models of workers.
    """

    state: redis.asyncio.Redis
    results: redis.asyncio.Redis
    keys: Keys
    connection: RedisConnection
    queues: QueueFacts
    messages: SentMessages
    observer: Observer
    catalogue: Catalogue

    @classmethod
    def open(cls, election: LeaderElection, *, install_id: str) -> RedisView:
        """Return a view with clients of its own, which `close` closes."""
        state, results, keys = connections.async_state_client(), connections.async_results_client(), Keys()
        connection = RedisConnection(state, election, keys=keys, install_id=install_id)
        queues = QueueFacts(memory_share=config.settings.DISPATCH_MEMORY_SHARE, pools=config.settings.METRICS_POOLS)
        messages = SentMessages(resend_seconds=config.settings.RESEND_SECONDS)
        observer = Observer(state, results, connection, queues, messages, keys=keys)
        return cls(state, results, keys, connection, queues, messages, observer, Catalogue())

    async def close(self) -> None:
        """Close the clients."""
        await self.state.aclose()
        await self.results.aclose()
