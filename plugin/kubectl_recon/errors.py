"""Errors that end a command. `cli.main` prints their text after "error:" and exits with their code.

`ReconError` is the base of all; `ApiError` of those with which the API server refuses a request.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import ClassVar


class ReconError(Exception):
    """A command failed. The text names the fault and the remedy."""

    exit_code: ClassVar[int] = 1


class UsageError(ReconError):
    """The command line asks for something impossible."""

    exit_code: ClassVar[int] = 2


class KubeconfigError(ReconError):
    """No usable kubeconfig, context or credentials."""


class UnreachableError(ReconError):
    """The API server does not answer."""


class ApiError(ReconError):
    """The API server refused a request; `status` is its HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class UnauthorizedError(ApiError):
    """The API server does not accept the credentials."""


class ForbiddenError(ApiError):
    """The user may not do that."""


class NotFoundError(ApiError):
    """There is no such object, or no such kind."""


class ConflictError(ApiError):
    """The object was changed or created meanwhile."""


class InvalidError(ApiError):
    """The API server's schema or rules refuse the object."""


_KINDS: dict[int, type[ApiError]] = {
    HTTPStatus.BAD_REQUEST: InvalidError,
    HTTPStatus.UNAUTHORIZED: UnauthorizedError,
    HTTPStatus.FORBIDDEN: ForbiddenError,
    HTTPStatus.NOT_FOUND: NotFoundError,
    HTTPStatus.CONFLICT: ConflictError,
    HTTPStatus.UNPROCESSABLE_ENTITY: InvalidError,
}


def api_error(status: int, message: str) -> ApiError:
    """The error of that HTTP status."""
    return _KINDS.get(status, ApiError)(status, message)
