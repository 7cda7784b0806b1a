"""Errors of requests to the API server."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

_PAUSE_SECONDS: Final = 0.5
_PAUSE_MAX_SECONDS: Final = 30.0  # API servers send a Retry-After of 1; a proxy in between must not end all writes


class NoClusterError(Exception):
    """Neither a kubeconfig nor a pod's service account names an API server."""


class ApiError(Exception):
    """The API server rejected a request, or did not respond (`status` 0).

    `continue_token`: with which a list may continue whose version has expired (410 Gone).
    """

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        retry_after_seconds: float | None = None,
        *,
        continue_token: str = "",
    ) -> None:
        super().__init__(f"{status or 'no response'} {reason}: {message}" if reason else f"{status}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after_seconds = retry_after_seconds
        self.continue_token = continue_token

    @property
    def transient(self) -> bool:
        """Whether the same request may succeed in a moment."""
        passing = (0, HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS)
        return self.status in passing or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR

    @property
    def pause_seconds(self) -> float:
        """How long to wait before the same request: Retry-After, up to half a minute."""
        return min(self.retry_after_seconds or _PAUSE_SECONDS, _PAUSE_MAX_SECONDS)


class SilentError(ApiError):
    """The API server sent nothing for a while. Of a watch that is no fault: nothing may have changed."""

    def __init__(self, seconds: float) -> None:
        super().__init__(0, "Silent", f"the API server sent nothing for {seconds:g} s")


class TooLargeError(ApiError):
    """A page of a list has more bytes than allowed; fewer objects are to be requested."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(0, "TooLarge", f"the page has more than {max_bytes} bytes")
