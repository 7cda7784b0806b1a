"""Names in a request: validated before they become part of a path at the API server."""

from __future__ import annotations

import re
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request

_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


def namespace_of(request: Request) -> str:
    """Return the namespace in the path. Raises 404 for an invalid name."""
    return _checked(request.path_params["namespace"], _LABEL)


def name_of(request: Request) -> str:
    """Return the job's name in the path. Raises 404 for an invalid name."""
    return _checked(request.path_params["name"], _NAME)


def _checked(text: str, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(text) or ".." in text:
        raise HTTPException(404, "not found: the name is invalid")
    return text
