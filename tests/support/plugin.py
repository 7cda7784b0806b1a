"""Plugin: jobs as the API server stores them, and kubectl recon as a user runs it."""

from __future__ import annotations

import http.client
import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kubectl_recon.jobs.job import Job

CREATED = "2026-03-01T12:00:00Z"
PROGRAM = Path(sys.executable).with_name("kubectl-recon")


def job(name: str = "banana", phase: str = "", **status: Any) -> Job:
    """Return a job with that phase.

    `spec`, `metadata` and `conditions` (type -> (status, reason)) are merged into the body.
    """
    spec = status.pop("spec", {})
    metadata = status.pop("metadata", {})
    conditions = [
        {"type": kind, "status": value, "reason": reason, "lastTransitionTime": CREATED}
        for kind, (value, reason) in status.pop("conditions", {}).items()
    ]
    body = {
        "apiVersion": "reconstruction.dev/v1alpha1",
        "kind": "ReconstructionJob",
        "metadata": {"name": name, "namespace": "team", "uid": name, "creationTimestamp": CREATED, "generation": 1}
        | metadata,
        "spec": {"input": {"uri": f"file:///photos/{name}"}} | spec,
        "status": {"observedGeneration": 1, "conditions": conditions} | ({"phase": phase} if phase else {}) | status,
    }
    return Job(body)


def write_kubeconfig(
    folder: Path, port: int = 9, *, namespace: str = "", name: str = "here", user: dict[str, Any] | None = None
) -> Path:
    """Write a kubeconfig for an API server on that local port; by default no server listens there.

    `name`: of context and file.
    """
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": namespace}}],
        "clusters": [{"name": name, "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": name, "user": user or {"token": "s3cret"}}],
    }
    file = folder / name
    file.write_text(json.dumps(config))
    return file


def run_program(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the program without a terminal, with this environment besides that of the tests."""
    return subprocess.run(
        [PROGRAM, *arguments], env=os.environ | environment, capture_output=True, text=True, timeout=120, check=False
    )


@dataclass(frozen=True)
class Answer:
    """The response of a page."""

    status: int
    headers: Mapping[str, str]
    content: bytes


def get(address: str, **headers: str) -> Answer:
    """Return the response of a page, without following redirects."""
    parts = urlsplit(address)
    with closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)) as connection:
        connection.request("GET", parts.path, headers=headers)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())


@contextmanager
def serving(command: Sequence[str], environment: Mapping[str, str], browser: str = "true") -> Iterator[str]:
    """Yield the first URL in the output of a command that serves it, with a browser that by default does nothing."""
    with subprocess.Popen(
        command, env={**environment, "BROWSER": browser}, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            lines = process.stdout or ()
            yield next((line.strip() for line in lines if line.startswith("http")), "")
        finally:
            process.terminate()


@dataclass(frozen=True)
class Program:
    """kubectl-recon as a process, with the permissions of a kubeconfig, in a namespace."""

    kubeconfig: Path
    namespace: str
    environment: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str | Path, timeout_seconds: float = 90) -> subprocess.CompletedProcess[str]:
        """Run a command without a terminal."""
        return subprocess.run(
            self._command(*arguments),
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )

    def opened(self, *arguments: str | Path) -> AbstractContextManager[str]:
        """Return a context with the URL that `open` prints, while it runs."""
        return serving(self._command("open", "--no-browser", *arguments), self._environment())

    def opening(self, *arguments: str | Path) -> AbstractContextManager[str]:
        """Return a context with the URL that another command prints at its end, while it serves it."""
        return serving(self._command(*arguments), self._environment())

    def on_terminal(
        self,
        *arguments: str | Path,
        answers: Mapping[str, str | Callable[[], None]] | None = None,
        timeout_seconds: float = 90,
    ) -> tuple[int, str]:
        """Run a command on a terminal of 80 columns, type (or call) each answer to its question, and return exit code
        and output.
        """
        master, terminal = pty.openpty()
        process = subprocess.Popen(
            self._command(*arguments),
            env=self._environment() | {"TERM": "xterm", "COLUMNS": "80", "LINES": "24"},
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)
        output, open_answers = "", dict(answers or {})
        deadline = time.monotonic() + timeout_seconds
        try:
            while time.monotonic() < deadline:
                if not select.select([master], [], [], 0.2)[0]:
                    continue
                try:
                    output += os.read(master, 65536).decode(errors="replace")
                except OSError:  # the program has ended
                    break
                for question in [question for question in open_answers if question in output]:
                    answer = open_answers.pop(question)
                    if isinstance(answer, str):
                        os.write(master, answer.encode())
                    else:
                        answer()
            return process.wait(timeout=10), output
        finally:
            process.kill()
            process.wait()
            os.close(master)

    def _command(self, *arguments: str | Path) -> list[str]:
        command, *rest = map(str, arguments)
        return [str(PROGRAM), command, "-n", self.namespace, *rest]

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig), **self.environment}
