"""Command line: `reconstruction-operator`.

Each setting of the operator is an environment variable (`config`).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import logging
import os
import signal
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Final

from reconstruction_operator import config, privacy, readers
from reconstruction_operator.api.spec import Spec
from reconstruction_operator.cli import brake
from reconstruction_operator.telemetry import logs, misspelt, tracing

_ALLOCATIONS: Final = 20_000  # between two garbage collections: a round creates thousands of objects but few cycles
_TRACES_SECONDS: Final = 2.0  # time to export the last spans before the process ends


def _parser() -> argparse.ArgumentParser:
    command = argparse.ArgumentParser(
        prog="reconstruction-operator", description="Kubernetes operator for 3D reconstruction jobs."
    )
    command.add_argument(
        "--version", action="version", version=f"%(prog)s {metadata.version('reconstruction-operator')}"
    )
    subcommands = command.add_subparsers(dest="command", required=True, metavar="COMMAND")
    subcommands.add_parser(
        "run",
        help="watch ReconstructionJobs and have workers run them",
        description="Watch ReconstructionJobs and have workers run them. The cluster is that of KUBECONFIG, of "
        "~/.kube/config, or of the pod. Settings are environment variables: docs/settings.md.",
    )
    held = subcommands.add_parser(
        "brake",
        help="list and release deletions that are held because too many jobs are missing at once",
        description="If many jobs are missing at once, as after a restore of etcd, their files are kept until an "
        "administrator releases them: docs/runbooks/ReconstructionDeletionsHeld.md.",
    )
    steps = held.add_subparsers(dest="step", required=True, metavar="STEP")
    steps.add_parser("list", help="print how many deletions are held, by namespace")
    release = steps.add_parser("release", help="let the files of the missing jobs of a namespace be deleted")
    which = release.add_mutually_exclusive_group(required=True)
    which.add_argument("namespaces", nargs="*", default=[], metavar="NAMESPACE", help="the namespace of the jobs")
    which.add_argument("--all", action="store_true", dest="every", help="all namespaces")
    here = subcommands.add_parser(
        "reconstruct",
        help="run a model on this machine, without Kubernetes and Redis",
        description="Check photos as a worker does, and run a model on them here. `kubectl recon run` does "
        "the same, with "
        "advice and progress bars. It prints lines of JSON. The exit status is 2 for a model, a parameter or an output "
        "that cannot "
        "be used, and 3 if the run failed.",
    )
    here.add_argument("photos", nargs="+", metavar="PHOTOS", help="one folder, or files")
    here.add_argument("-o", "--output", required=True, metavar="OUT", help="new or empty folder for the result")
    here.add_argument("--model", default=Spec().model_type, help="the model [%(default)s]")
    here.add_argument(
        "--param", action="append", default=[], type=_parameter, metavar="NAME=VALUE", help="one of its parameters"
    )
    here.add_argument("--threads", type=int, default=0, help="processor threads [all that this process may use]")
    here.add_argument("--check", action="store_true", help="check all that needs no photo, and print nothing else")
    return command


def _parameter(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r}: write NAME=VALUE")
    with contextlib.suppress(ValueError):
        return name, json.loads(value)
    return name, value


def main(words: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status (2: wrong usage or settings)."""
    arguments = vars(_parser().parse_args(words))
    command = arguments.pop("command")
    try:
        config.use(config.Settings.from_environment(os.environ))
    except readers.InvalidSettingError as error:
        print(f"reconstruction-operator: {error}", file=sys.stderr)
        return 2
    if command == "brake":
        return _brake(arguments.get("namespaces", ()), every=arguments.get("every", False))
    return _run() if command == "run" else _reconstruct(**arguments)


def _run() -> int:
    gc.set_threshold(_ALLOCATIONS)  # before the imports: collections would take an eighth of their time
    # Imported here because the worker's image has this program, but not the operator's packages.
    from reconstruction_operator.controller import process  # noqa: PLC0415
    from reconstruction_operator.controller.kube import installation  # noqa: PLC0415
    from reconstruction_operator.kube import errors  # noqa: PLC0415  # the same

    privacy.hide_memory()
    logs.configure(config.settings.LOG_FORMAT, config.settings.LOG_LEVEL)
    misspelt.warn()
    tracing.enabled()  # imports the SDK before the event loop runs, and logs at once if it is missing
    try:
        return asyncio.run(process.run())
    except (errors.NoClusterError, installation.NotInstalledError, OSError) as error:
        print(f"reconstruction-operator: {logs.redact(str(error))}", file=sys.stderr)
        return 1
    finally:
        tracing.flush(_TRACES_SECONDS)


def _brake(namespaces: Sequence[str], *, every: bool) -> int:
    from redis.exceptions import RedisError  # noqa: PLC0415  # as in `_run`

    from reconstruction_operator.controller.kube import installation  # noqa: PLC0415
    from reconstruction_operator.kube import errors  # noqa: PLC0415
    from reconstruction_operator.state import calls  # noqa: PLC0415

    known = (errors.NoClusterError, installation.NotInstalledError, RedisError, calls.ProtocolError, OSError)
    try:
        return brake.run(namespaces, every=every)
    except known as error:
        print(f"reconstruction-operator: {logs.redact(str(error))}", file=sys.stderr)
        return 1


def _reconstruct(
    *,
    photos: Sequence[str],
    output: str,
    model: str,
    param: Sequence[tuple[str, object]],
    threads: int,
    check: bool,
) -> int:
    received = _interruptions()  # before the imports, which take a second
    try:
        from reconstruction_operator.worker.local import run as local  # noqa: PLC0415  # the operator's image lacks its packages
    except KeyboardInterrupt:
        return 128 + received[0]
    logging.basicConfig(format="%(message)s")

    def emit(line: local.OutputLine) -> None:
        try:
            print(json.dumps(line), flush=True)
        except BrokenPipeError:  # the reader has closed the pipe
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(local.INTERRUPTED)

    request = local.LocalRequest(photos, output, model, dict(param), threads)
    status = (local.check if check else local.run)(request, emit)
    return 128 + received[0] if received else status


def _interruptions() -> list[int]:
    """Let the first SIGINT, SIGTERM or SIGHUP raise KeyboardInterrupt, and add its number to the returned list.

    Later ones are ignored: the run deletes its files. A terminal sends SIGINT to all processes, and `kubectl recon run`
    its own too.
    """
    received: list[int] = []

    def interrupt(number: int, _frame: object) -> None:
        if not received:
            received.append(number)
            raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, interrupt)
    return received


if __name__ == "__main__":
    sys.exit(main())
