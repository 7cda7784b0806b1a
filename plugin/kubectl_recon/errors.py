"""Errors that end a command. `cli.main` prints their text after "error:" and exits with their code.

`ReconError` is the base of all; `ApiError` is the base of errors that the API server returns.
"""

from __future__ import annotations

import shlex
import sys
from http import HTTPStatus
from typing import ClassVar

from reconstruction_operator.kube import errors


class ReconError(Exception):
    """A command failed. The text has the cause and the remedy."""

    exit_code: ClassVar[int] = 1


class UsageError(ReconError):
    """The command line is invalid, or cannot be carried out."""

    exit_code: ClassVar[int] = 2


class KubeconfigError(ReconError):
    """The kubeconfig, the context or the credentials are missing or invalid."""


class UnreachableError(ReconError, errors.ApiError):
    """The API server does not respond."""

    def __init__(self, message: str) -> None:
        errors.ApiError.__init__(self, 0, "", message)

    def __str__(self) -> str:
        return self.message


class SilentError(UnreachableError, errors.SilentError):
    """The API server sent nothing for a while, which of a watch is no fault."""

    def __init__(self, seconds: float) -> None:
        errors.SilentError.__init__(self, seconds)


class ApiError(ReconError, errors.ApiError):
    """The API server rejected a request; `status` is the HTTP status."""

    def __init__(self, status: int, message: str, continue_token: str = "") -> None:
        errors.ApiError.__init__(self, status, "", message, continue_token=continue_token)

    def __str__(self) -> str:
        return self.message


class ForbiddenError(ApiError):
    """The user has no right to do that."""


class NotFoundError(ApiError):
    """The object or its kind does not exist."""


class ConflictError(ApiError):
    """The object was changed or created at the same time."""


class InvalidError(ApiError):
    """The object violates the schema or a rule of the API server."""


_KINDS: dict[int, type[ApiError]] = {
    HTTPStatus.BAD_REQUEST: InvalidError,
    HTTPStatus.FORBIDDEN: ForbiddenError,
    HTTPStatus.NOT_FOUND: NotFoundError,
    HTTPStatus.CONFLICT: ConflictError,
    HTTPStatus.UNPROCESSABLE_ENTITY: InvalidError,
}


def api_error(status: int, message: str, continue_token: str = "") -> ApiError:
    """Return the error for an HTTP status."""
    return _KINDS.get(status, ApiError)(status, message, continue_token)


def install(*packages: str) -> str:
    """Return advice to install packages beside this program: folders of the project's checkout, since none is
    published.
    """
    return f"in a checkout of the project, run {shlex.join([sys.executable, '-m', 'pip', 'install', *packages])}"
