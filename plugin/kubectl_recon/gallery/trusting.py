"""Trust in galleries: the user confirms each address that an operator publishes before a token is sent there; it is
remembered.

A token of the API server can do whatever the user can, and each operator, also of a team's own installation, chooses
the address that it publishes. An address of the user's own (`--gallery`, RECON_GALLERY) needs no confirmation.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import typer

from kubectl_recon.errors import UsageError

_FILE: Final = "kubectl-recon/galleries.json"


def confirm(
    server: str,
    lease: str,
    place: str,
    option: str,
    *,
    environ: Mapping[str, str] = os.environ,
    ask: Callable[[str], bool] | None = None,
) -> None:
    """Return if tokens of the API server `server` may be sent to `place`, which the installation `lease` publishes.

    `option`: the value of --gallery for this place. Raises UsageError without a "yes", or without a terminal.
    """
    file = _file(environ)
    trusted = _read(file)
    if place in trusted.get(server, ()):
        return
    text = f"The operator {lease} publishes its gallery at {place}, where no token of yours was sent before."
    if ask is None and not sys.stdin.isatty():
        raise UsageError(
            f"{text} Confirm it once on a terminal, or name the gallery yourself: --gallery {option} (or RECON_GALLERY)"
        )
    question = f"{text} Who runs it can act as you in the cluster. Send it there, now and in future?"
    if not (ask or _prompt)(question):
        raise UsageError(f"nothing was sent to {place}; --gallery names another gallery")
    trusted[server] = sorted({*trusted.get(server, ()), place})
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    written = file.with_suffix(f".{os.getpid()}")
    written.write_text(json.dumps(trusted, indent=2))
    written.replace(file)


def _prompt(question: str) -> bool:
    return typer.confirm(question, err=True)


def _file(environ: Mapping[str, str]) -> Path:
    home = environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME") or Path.home()) / ".config"
    return Path(home) / _FILE


def _read(file: Path) -> dict[str, list[str]]:
    """Return the confirmed places by API server; none if the file is missing or malformed."""
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {server: [str(place) for place in places] for server, places in content.items() if isinstance(places, list)}
