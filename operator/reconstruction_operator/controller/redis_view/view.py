"""Redis view: the clients of one operator, and the facts that it reads with them."""

from __future__ import annotations

from reconstruction_operator import config
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.controller.kube.lease import LeaderElection
from reconstruction_operator.controller.redis_view.catalogue import Catalogue
from reconstruction_operator.controller.redis_view.connection import RedisConnection
from reconstruction_operator.controller.redis_view.messages import SentMessages
from reconstruction_operator.controller.redis_view.observer import Observer
from reconstruction_operator.controller.redis_view.queues import QueueFacts
from reconstruction_operator.state import connections


class RedisView:
    """Facts and their owners, with clients of its own."""

    def __init__(self, election: LeaderElection, *, install_id: str) -> None:
        settings = config.settings
        self.state = connections.async_state_client()
        self.results = connections.async_results_client()
        self.keys = Keys()
        # Reachability and epoch; workers and lengths; sent messages that are missing; the silence of workers; their
        # models
        self.connection = RedisConnection(self.state, election, keys=self.keys, install_id=install_id)
        self.queues = QueueFacts(memory_share=settings.DISPATCH_MEMORY_SHARE, pools=settings.METRICS_POOLS)
        self.messages = SentMessages(resend_seconds=settings.RESEND_SECONDS)
        self.observer = Observer(self.state, self.results, self.connection, self.queues, self.messages, keys=self.keys)
        self.catalogue = Catalogue()

    def begin(self) -> None:
        """Begin a tenure: what was sent and read in an earlier one proves nothing."""
        self.queues.begin()
        self.messages.begin()

    async def close(self) -> None:
        """Close the clients."""
        await self.state.aclose()
        await self.results.aclose()
