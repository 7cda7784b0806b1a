"""Process: starts the operator, and stops it in order after a signal or when a component cannot continue."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from http import HTTPStatus

from reconstruction_operator import config
from reconstruction_operator.controller.components import VERSION, Operator
from reconstruction_operator.controller.kube import installation, watch
from reconstruction_operator.controller.kube.installation import Installation
from reconstruction_operator.controller.probes import ProbeServer
from reconstruction_operator.kube import client
from reconstruction_operator.kube.client import Api
from reconstruction_operator.telemetry import metrics

_log = logging.getLogger(__name__)


async def run() -> int:
    """Run until SIGTERM or SIGINT (exit status 0), or until a component cannot continue (1, to be restarted)."""
    stopping = asyncio.Event()
    # Until kopf installs its handlers: process 1 has no default signal handlers.
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    metrics.BUILD.info({"version": VERSION})
    cluster = await client.find_cluster()
    api = Api(cluster)
    _log.info("Starting version %s, process %d, API server %s", VERSION, os.getpid(), cluster.server)
    try:
        probes = ProbeServer(
            host=config.settings.PROBE_HOST,
            port=config.settings.PROBE_PORT,
            metrics_port=config.settings.METRICS_PORT,
        )
        _log.info("Probes on port %d, metrics on port %d", *await probes.start())
        try:
            operator = await _prepared(api, stopping)
            return 0 if operator is None else await _operate(operator, probes)
        finally:
            await probes.close()
    finally:
        await api.close()


async def _prepared(api: Api, stopping: asyncio.Event) -> Operator | None:
    """Return the operator once the cluster has what it needs; None after a signal."""
    preparing = asyncio.create_task(_prepare(api, stopping), name="preparing")
    waiting = asyncio.create_task(stopping.wait(), name="signal")
    await asyncio.wait({preparing, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if preparing.done():
        return preparing.result()
    preparing.cancel()
    return None


async def _prepare(api: Api, stopping: asyncio.Event) -> Operator:
    await installation.wait_for_resource(api)
    lease = (config.settings.OPERATOR_NAMESPACE, config.settings.LEASE_NAME)
    install_id = await installation.install_id(api, config.settings.INSTALL_ID, lease)
    ours = Installation(install_id, config.settings.WATCH_NAMESPACES, "/".join(lease))
    _log.info("Install id %s, Lease %s", ours.id, ours.lease)
    return Operator(api, ours, stopping)


async def _operate(operator: Operator, probes: ProbeServer) -> int:
    probes.program = operator

    async def stop() -> None:
        await operator.stop()
        await probes.close()  # before kopf searches for running tasks: an open connection is one

    try:
        await watch.watch(
            operator.feed,
            namespaces=config.settings.WATCH_NAMESPACES,
            startup=operator.start,
            cleanup=stop,
            stopping=operator.supervisor.stopping,
        )
    except Exception as error:  # noqa: BLE001  # from kopf: the resource was deleted, its version changed, or a defect
        deleted = getattr(error, "status", 0) == HTTPStatus.NOT_FOUND
        cause = "the API server no longer serves ReconstructionJobs: was the CRD deleted?" if deleted else error
        _log.critical("The watch cannot continue; the operator stops, to be restarted: %s", cause, exc_info=not deleted)
        return 1
    if operator.supervisor.crashed:
        return 1
    _log.info("Stopped")
    return 0
