"""Limits of processes, as a container has: the programs started by one `launcher` share a limit, and threads count.

The kernel counts the processes of a user and does not limit root. As root, the programs run as a user of their own,
which keeps access to root's files.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from typing import Final

import psutil

_USERS: Final = itertools.count(1_000_000 + os.getpid() % 100_000 * 100)
_CODE: Final = (
    "import os, resource, sys\n"
    "most = int(sys.argv[1])\n"
    "resource.setrlimit(resource.RLIMIT_NPROC, (most, most))\n"
    "os.execv(sys.argv[2], sys.argv[2:])\n"
)


class Limit:
    """A user with at most `at_once` processes and threads, besides those that it has already."""

    def __init__(self, at_once: int) -> None:
        self.user = next(_USERS) if os.getuid() == 0 else os.getuid()
        self.most = at_once + self.used()

    def used(self) -> int:
        """Return how many processes and threads the user has."""
        own = 0
        for process in psutil.process_iter():
            try:
                if process.uids().real == self.user:
                    own += process.num_threads()
            except psutil.Error:
                pass
        return own

    @property
    def launcher(self) -> list[str]:
        """A program that replaces itself by the command after it, which has the limit."""
        return [sys.executable, "-S", "-c", _CODE, str(self.most), *self._as_user()]

    def change(self, pid: int, most: int) -> None:
        """Give one process of the user another limit, up to the first one: it starts nothing more while the user has
        `most`.
        """
        command = [*self._as_user(), "/usr/bin/prlimit", f"--pid={pid}", f"--nproc={most}:{self.most}"]
        subprocess.run(command, check=True)

    def _as_user(self) -> list[str]:
        if os.getuid() != 0:
            return ["/usr/bin/env"]
        access = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")
        return ["/usr/bin/setpriv", f"--reuid={self.user}", "--clear-groups", *access]
