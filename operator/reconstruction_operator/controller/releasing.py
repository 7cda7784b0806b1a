"""Releasing: what an administrator's command does about the deletions that the brake holds.

It works in the pod of any replica, and reaches the leader through Redis (`loop.releases`).
"""

from __future__ import annotations

from collections.abc import Sequence

from reconstruction_operator import config
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.controller.kube import installation
from reconstruction_operator.kube import client
from reconstruction_operator.kube.client import Api
from reconstruction_operator.state import calls, connections, releases
from reconstruction_operator.state.replies import HeldCounts


async def release(namespaces: Sequence[str], *, every: bool) -> HeldCounts:
    """Release the held deletions of these namespaces, or of every one. Return the numbers after that.

    Raises RedisError, ProtocolError, NoClusterError, and NotInstalledError if the cluster may not be identified.
    """
    install_id = config.settings.INSTALL_ID or await _read_install_id()
    async with connections.async_state_client() as state:
        return await calls.arun(state, releases.release_held(Keys(), install_id, namespaces=namespaces, every=every))


async def _read_install_id() -> str:
    api = Api(await client.find_cluster())
    try:
        lease = (config.settings.OPERATOR_NAMESPACE, config.settings.LEASE_NAME)
        return await installation.install_id(api, "", lease)
    finally:
        await api.close()
