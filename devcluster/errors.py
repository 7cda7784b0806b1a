"""Errors: everything that devcluster raises.

DevclusterError        a program is missing, could not be built, or a condition did not hold before its deadline
├── ServerEndedError   a server ended by itself; holds the end of its log
├── ApiError           the API server answered with an error; holds its status
└── CommandError       a command failed; holds what it printed
"""

from __future__ import annotations

from collections.abc import Sequence


class DevclusterError(Exception):
    """Base class of the errors that this package raises on purpose."""


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
