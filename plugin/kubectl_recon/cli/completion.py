"""Completion of names, contexts and namespaces, and the program that kubectl calls to complete `kubectl recon`."""

from __future__ import annotations

import io
import os
import shlex
import sys
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from typing import Final

import typer
from typer.completion import completion_init  # type: ignore[attr-defined]  # typer itself calls it only for its own options

from kubectl_recon.errors import ReconError

_NO_FILES: Final = ":4"  # directive of cobra: offer no file names
_FILES: Final = ":0"
_VARIABLE: Final = "_KUBECTL_RECON_COMPLETE"  # requests completions from a typer program


def job_names(context: typer.Context, incomplete: str) -> list[str]:
    """Return the names of the namespace's jobs, and @latest; nothing without a cluster, since
    completion must not fail.
    """
    from reconstruction_operator.kube import paths

    from kubectl_recon.kube.api import connect

    options = context.params
    with suppress(ReconError):
        connection = connect(options.get("context"), options.get("kubeconfig"), options.get("namespace"))
        bodies = connection.api.items(paths.jobs(connection.namespace))
        names = ["@latest", *sorted(str(body["metadata"]["name"]) for body in bodies)]
        chosen = options.get("names") or ()
        return [name for name in names if name.startswith(incomplete) and name not in chosen]
    return []


def namespaces(context: typer.Context, incomplete: str) -> list[str]:
    """Return the cluster's namespaces; nothing for users who may not list them."""
    from kubectl_recon.kube.api import connect

    options = context.params
    with suppress(ReconError):
        bodies = connect(options.get("context"), options.get("kubeconfig"), None).api.items("/api/v1/namespaces")
        return [name for name in (str(body["metadata"]["name"]) for body in bodies) if name.startswith(incomplete)]
    return []


def contexts(context: typer.Context, incomplete: str) -> list[str]:
    """Return the contexts of the kubeconfig."""
    from reconstruction_operator.kube.access import context_names

    with suppress(ReconError):
        return [name for name in context_names(context.params.get("kubeconfig")) if name.startswith(incomplete)]
    return []


def among(*words: str) -> Callable[[str], list[str]]:
    """Return a completion that offers these words."""

    def offered(incomplete: str) -> list[str]:
        return [word for word in words if word.startswith(incomplete)]

    return offered


def completions(words: list[str]) -> list[str]:
    """Return the completions of the last word, which may be empty. A help text follows after a tab."""
    from kubectl_recon.cli.main import app

    environment = {
        _VARIABLE: "complete_fish",
        "_TYPER_COMPLETE_ARGS": shlex.join(["kubectl-recon", *words]),
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "COLUMNS": "1000",  # a help text is not wrapped
    }
    os.environ.update(environment)
    completion_init()
    output = io.StringIO()
    with redirect_stdout(output), suppress(SystemExit):
        app(args=[], prog_name="kubectl-recon", complete_var=_VARIABLE)
    return [line for line in output.getvalue().splitlines() if line.strip()]


def main() -> None:
    """Print the completions as kubectl reads them: one a line, then a directive."""
    words = completions(sys.argv[1:])
    print(*words, _NO_FILES if words else _FILES, sep="\n")  # noqa: T201  # kubectl reads it
