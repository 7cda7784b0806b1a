"""The command `reconstruction-operator`.

Every setting is an environment variable (`config`); a flag of `run` is the same setting, and wins over it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Final

_TRACES_SECONDS: Final = 2.0  # at the end, for what was emitted and not yet sent
_SETTINGS: Final = (  # environment variable, metavar, what it is
    ("CELERY_BROKER_URL", "URL", "Redis for messages to the workers (DB 0)"),
    ("CELERY_RESULT_BACKEND", "URL", "Redis for Celery's results (DB 0)"),
    ("REDIS_STATE_DB", "URL", "Redis for the state of jobs (DB 1)"),
    ("REDIS_KEY_PREFIX", "TEXT", "before every key, for two installations on one Redis"),
    ("WATCH_NAMESPACES", "NAMES", "comma-separated; all namespaces if empty"),
    ("INSTALL_ID", "TEXT", "tells our records in Redis from others'; the uid of kube-system if empty"),
    ("OPERATOR_NAMESPACE", "NAME", "of the Lease"),
    ("LEASE_NAME", "NAME", "of the Lease; operators with different ones do not know each other"),
    ("LEASE_SECONDS", "SECONDS", "after which a silent leader is deposed"),
    ("SWEEP_SECONDS", "SECONDS", "between full looks at Redis"),
    ("LIST_SECONDS", "SECONDS", "between full lists of the jobs"),
    ("BATCH_SECONDS", "SECONDS", "in which changes gather before they are looked at"),
    ("WRITES_PER_SECOND", "NUMBER", "statuses and Events written to the API server, at most"),
    ("PROGRESS_SECONDS", "SECONDS", "between two writes of a job's progress, at least"),
    ("DISPATCH_WINDOW", "NUMBER", "messages that wait in one queue, at most"),
    ("LOST_AFTER_SECONDS", "SECONDS", "of a worker's silence, after which its job is tried again"),
    ("EPOCH_GRACE_SECONDS", "SECONDS", "for live workers to register again after Redis was emptied"),
    ("RESEND_SECONDS", "SECONDS", "after which a message that nobody took is sent again"),
    ("BACKOFF_SECONDS", "SECONDS", "before the second attempt; doubles"),
    ("BACKOFF_MAX_SECONDS", "SECONDS", "between two attempts, at most"),
    ("PROBE_HOST", "ADDRESS", "of /healthz, /readyz and /metrics"),
    ("PROBE_PORT", "PORT", "of these; 0 for any free one"),
    ("LOG_FORMAT", "FORMAT", "json or text"),
    ("LOG_LEVEL", "LEVEL", "DEBUG, INFO, WARNING or ERROR"),
)


def flag_of(variable: str) -> str:
    """The flag of a setting: `LEASE_SECONDS` is `--lease-seconds`."""
    return f"--{variable.lower().replace('_', '-')}"


def parser() -> argparse.ArgumentParser:
    """The command line."""
    command = argparse.ArgumentParser(
        prog="reconstruction-operator", description="Kubernetes operator for 3D reconstruction jobs."
    )
    command.add_argument(
        "--version", action="version", version=f"%(prog)s {metadata.version('reconstruction-operator')}"
    )
    subcommands = command.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = subcommands.add_parser(
        "run",
        help="watch ReconstructionJobs and have workers carry them out",
        description="Watch ReconstructionJobs and have workers carry them out. The cluster is that of KUBECONFIG, of "
        "~/.kube/config, or of the pod. Each flag overrides the environment variable in brackets.",
    )
    for variable, metavar, text in _SETTINGS:
        run.add_argument(flag_of(variable), dest=variable, metavar=metavar, help=f"{text} [{variable}]")
    selftest = subcommands.add_parser(
        "selftest",
        help="run one placeholder job to its end",
        description="Create a placeholder job, wait until it has succeeded, and delete it. Needs a running operator, Redis "
        "and worker; the account may create, get and delete jobs in the namespace.",
    )
    selftest.add_argument("--namespace", default="default", help="of the job [%(default)s]")
    selftest.add_argument("--queue", default="celery", help="of the job [%(default)s]")
    selftest.add_argument(
        "--timeout-seconds", type=float, default=180.0, metavar="SECONDS", help="until it must have succeeded [180]"
    )
    return command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status (2: wrong usage or settings)."""
    given = vars(parser().parse_args(arguments))
    if given.pop("command") == "selftest":
        return _selftest(**given)
    # A flag is its variable: one way in, one check of the value. `config` reads the environment when it is imported.
    os.environ.update({name: value for name, value in given.items() if value is not None})
    return _run()


def _run() -> int:
    try:
        from reconstruction_operator import config  # noqa: PLC0415  # not before the flags are in the environment
    except ValueError as error:
        print(f"reconstruction-operator: {error}", file=sys.stderr)
        return 2
    from reconstruction_operator.controller import process  # noqa: PLC0415  # the same
    from reconstruction_operator.controller.kube import client, installation  # noqa: PLC0415  # the same
    from reconstruction_operator.telemetry import logs, tracing  # noqa: PLC0415  # the same

    logs.configure(config.LOG_FORMAT, config.LOG_LEVEL)
    try:
        return asyncio.run(process.run())
    except (client.NoClusterError, installation.NotInstalledError, OSError) as error:
        print(f"reconstruction-operator: {logs.redact(str(error))}", file=sys.stderr)
        return 1
    finally:
        tracing.flush(_TRACES_SECONDS)


def _selftest(*, namespace: str, queue: str, timeout_seconds: float) -> int:
    from reconstruction_operator.cli import selftest  # noqa: PLC0415  # `run` must not read the settings too early
    from reconstruction_operator.controller.kube import client  # noqa: PLC0415  # the same

    try:
        return asyncio.run(selftest.run(namespace=namespace, queue=queue, timeout_seconds=timeout_seconds))
    except client.NoClusterError as error:
        print(f"reconstruction-operator: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
