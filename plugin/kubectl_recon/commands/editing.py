"""Editing of a manifest in the user's editor, as `kubectl create --edit` does. What was written is never lost."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from kubectl_recon.display.formats import Format, document
from kubectl_recon.errors import ReconError, UsageError


def by_editor(path: str) -> None:
    """Open a file in the user's editor, and wait until it is closed. Raises UsageError if the editor fails."""
    editor = os.environ.get("KUBE_EDITOR") or os.environ.get("EDITOR") or "vi"
    try:
        subprocess.run([*shlex.split(editor), path], check=True)  # the user's own program
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        raise UsageError(f"the editor {editor} failed ({error}): set KUBE_EDITOR or EDITOR to another one") from error


@contextmanager
def edited(header: str, body: Mapping[str, Any], edit: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """Yield the manifest as `edit` left it in a file. If the block fails, its error names the file, which stays.

    Raises UsageError for an empty file, or one that holds no manifest.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", prefix="recon-", delete=False) as file:
        file.write(header + document(body, Format.YAML) + "\n")
    path = Path(file.name)
    edit(file.name)
    text = path.read_text()
    try:
        yield _parsed(text)
    except _EmptyError:
        path.unlink()
        raise
    except ReconError as error:
        kind = UsageError if isinstance(error, UsageError) else ReconError
        raise kind(f"{error} (your text is in {path})") from error
    path.unlink()


class _EmptyError(UsageError):
    """The user wants no job."""


def _parsed(text: str) -> dict[str, Any]:
    try:
        body = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"the manifest is no valid YAML: {error}") from error
    if body is None:
        raise _EmptyError("the file is empty, so no job was created")
    if not isinstance(body, dict) or not isinstance(body.get("spec"), dict):
        raise UsageError("the manifest has no spec")
    if not isinstance(body.get("metadata"), dict) or not isinstance(body["metadata"].get("name"), str):
        raise UsageError("the manifest has no metadata.name")
    return body
