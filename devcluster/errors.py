"""Errors: everything that devcluster raises."""

from __future__ import annotations

from collections.abc import Sequence


class DevclusterError(Exception):
    """A program is missing, could not be built, or a condition did not hold before its deadline."""


class ServerEndedError(DevclusterError):
    """A server ended by itself."""

    def __init__(self, name: str, status: int | None, log: str) -> None:
        super().__init__(f"{name} ended with status {status}. The end of its log:\n{log}")
        self.name = name
        self.status = status
        self.log = log

    @property
    def port_was_taken(self) -> bool:
        """Whether another program took the port between our choice and the server's start."""
        return "address already in use" in self.log.lower()


class ApiError(DevclusterError):
    """The API server answered a request with an error."""

    def __init__(self, method: str, path: str, status: int, message: str) -> None:
        super().__init__(f"{method} {path}: {status}: {message}")
        self.status = status
        self.message = message


class CommandError(DevclusterError):
    """A command line tool failed."""

    def __init__(self, command: Sequence[str], status: int, stdout: str, stderr: str) -> None:
        super().__init__(f"{' '.join(command)}: status {status}\n{stderr or stdout}".rstrip())
        self.status = status
        self.stdout = stdout
        self.stderr = stderr
