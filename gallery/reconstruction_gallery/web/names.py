"""Names in a request, checked before they become a part of a path."""

from __future__ import annotations

import re
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request

_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


def namespace_of(request: Request) -> str:
    """The namespace in the path. Raises 404 if the text cannot be a namespace."""
    return _checked(request.path_params["namespace"], _LABEL)


def name_of(request: Request) -> str:
    """The job's name in the path. Raises 404 if the text cannot be a name."""
    return _checked(request.path_params["name"], _NAME)


def _checked(text: str, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(text) or ".." in text:
        raise HTTPException(404, "there is nothing of that name")
    return text
