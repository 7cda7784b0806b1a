"""The operator as one process: its parts put together, started, watched over, and stopped in order."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from importlib import metadata

from reconstruction_operator import config
from reconstruction_operator.controller import health
from reconstruction_operator.controller.kube import client, installation, watch
from reconstruction_operator.controller.kube.client import Api
from reconstruction_operator.controller.operating import Operator
from reconstruction_operator.controller.probes import ProbeServer, application
from reconstruction_operator.telemetry import metrics

_log = logging.getLogger(__name__)


async def run() -> int:
    """Run until SIGTERM or SIGINT (0), or until a part of us cannot go on (1: restart us)."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):  # until kopf brings its own: process 1 has no default for them
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    version = metadata.version("reconstruction-operator")
    metrics.BUILD.info({"version": version})
    where = await client.connection()
    api = Api(where, client.connection)
    _log.info("Starting version %s, process %d, API server %s", version, os.getpid(), where.server)
    try:
        view = health.View()
        probes = ProbeServer(
            application(health=view.health, readiness=view.readiness, measure=view.measure),
            host=config.settings.PROBE_HOST,
            port=config.settings.PROBE_PORT,
        )
        _log.info("Probes and metrics on port %d", await probes.start())
        try:
            return await _prepared(api, view, probes, stopping)
        finally:
            await probes.close()
    finally:
        await api.close()


async def _prepared(api: Api, view: health.View, probes: ProbeServer, stopping: asyncio.Event) -> int:
    preparing = asyncio.create_task(_prepare(api, stopping), name="preparing")
    waiting = asyncio.create_task(stopping.wait(), name="signal")
    await asyncio.wait({preparing, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not preparing.done():
        preparing.cancel()
        return 0
    operator = preparing.result()
    view.operator = operator

    async def stop() -> None:
        await operator.stop()
        await probes.close()  # before kopf looks for tasks that are left: an open connection is one

    try:
        await watch.watch(
            operator.store,
            operator.watch_age,
            client.connection,
            namespaces=config.settings.WATCH_NAMESPACES,
            startup=operator.start,
            cleanup=stop,
            stopping=stopping,
        )
    except Exception as error:  # noqa: BLE001  # kopf's: the resource is gone, its version changed, or a defect
        _log.critical("The watch cannot go on; the operator stops, to be restarted: %s", error, exc_info=error)
        return 1
    if operator.supervisor.crashed:
        return 1
    _log.info("Stopped")
    return 0


async def _prepare(api: Api, stopping: asyncio.Event) -> Operator:
    await installation.wait_for_resource(api)
    lease = (config.settings.OPERATOR_NAMESPACE, config.settings.LEASE_NAME)
    install_id = await installation.install_id(api, config.settings.INSTALL_ID, lease)
    _log.info("Install id %s", install_id)
    return Operator(api, install_id=install_id, namespaces=config.settings.WATCH_NAMESPACES, stopping=stopping)
