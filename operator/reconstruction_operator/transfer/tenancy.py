"""Namespace allowlists, from the settings NAMESPACE_INPUTS and NAMESPACE_OUTPUTS.

Without entries, every namespace may use everything that the other settings allow. With entries, a namespace may use
only the addresses in its own entries and in those for all namespaces (`*`). The allowlists restrict the other settings,
and never extend them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

_NAMESPACE: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_PLACEHOLDER: Final = "{namespace}"
_HTTPS_PORT: Final = 443


def granted(entries: Iterable[tuple[str, str]], namespace: str) -> tuple[str, ...] | None:
    """Return the folders and addresses that the namespace may use; None: no limit.

    A job without a namespace may use none.
    """
    pairs = tuple(entries)
    if not pairs:
        return None
    if not _NAMESPACE.fullmatch(namespace):  # the namespace becomes part of paths (path traversal)
        return ()
    return tuple(prefix.replace(_PLACEHOLDER, namespace) for name, prefix in pairs if name in ("*", namespace))


def refusal(granted: tuple[str, ...], namespace: str, verb: str, label: str) -> str:
    """Return the message for an address that is not in the allowlist; `verb` is "read" or "write to"."""
    allowed = f"only {', '.join(granted)}" if granted else "nothing"
    return f"namespace {namespace or '(none)'} may not {verb} {label}: this worker allows it {allowed}"


def folders(prefixes: Iterable[str]) -> tuple[Path, ...]:
    """Return the prefixes that are folders."""
    return tuple(Path(prefix) for prefix in prefixes if prefix.startswith("/"))


def covers_objects(prefixes: Iterable[str], scheme: str, bucket: str, key: str) -> bool:
    """Return whether a prefix is this address of object storage, or a folder above it. Nothing is decoded."""
    for prefix in prefixes:
        kind, _, place = prefix.partition("://")
        allowed, _, folder = place.partition("/")
        if (kind, allowed) == (scheme, bucket) and f"{key}/".startswith(f"{folder.strip('/')}/".lstrip("/")):
            return True
    return False


def covers(prefixes: Iterable[str], address: SplitResult) -> bool:
    """Return whether a prefix is this https:// address, or a folder above it."""
    path = unquote(address.path) or "/"
    # Only the server knows how it resolves these: `\\` may be a slash, `..;` a parent, and it may decode twice.
    if ".." in path.split("/") or any(sign in path for sign in "\\;") or unquote(path) != path:
        return False
    return any(
        (prefix.hostname, prefix.port or _HTTPS_PORT) == (address.hostname, address.port or _HTTPS_PORT)
        and f"{path}/".startswith(f"{unquote(prefix.path).rstrip('/')}/")
        for prefix in map(urlsplit, prefixes)
        if prefix.scheme == "https"
    )
