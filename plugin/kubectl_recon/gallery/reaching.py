"""Way to the gallery: the address that the user gave or the operator publishes, or else `kubectl port-forward` to its
Service.
"""

from __future__ import annotations

import os
import re
import selectors
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Final

from reconstruction_operator.contract.info import audience
from reconstruction_operator.kube import paths

from kubectl_recon.errors import ReconError, UsageError
from kubectl_recon.gallery import trusting
from kubectl_recon.kube.api import Connection

_FORWARDED: Final = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")
_FORWARD_SECONDS: Final = 20.0
_TOKEN_SECONDS: Final = 8 * 3600
_SERVICE: Final = "service/"


class NoGalleryError(ReconError):
    """There is no gallery, or it cannot be reached."""


@dataclass(frozen=True, slots=True)
class Way:
    """How to reach the gallery.

    `url`: its address; without one a port-forward to `service` in `namespace`, the operator's.

    `account`: a service account whose token is used. `lease`: of the installation that publishes the address; empty if
    the user named it. `writes`: the gallery may write as the account, so it gets a token of the API server.
    """

    url: str | None = None
    account: str | None = None
    service: str = ""
    namespace: str = ""
    lease: str = ""
    writes: bool = False


@contextmanager
def reached(connection: Connection, way: Way) -> Iterator[str]:
    """Yield the address of the gallery, without a trailing slash.

    Raises NoGalleryError, and UsageError if the user does not trust it.
    """
    server = connection.api.server
    if way.url:
        if way.lease:
            trusting.confirm(server, way.lease, way.url, way.url)
        yield way.url.rstrip("/")
        return
    if not way.service:
        raise NoGalleryError(
            "the operator publishes no gallery at an https:// address (chart values gallery.enabled, gallery.url)"
        )
    kubectl = connection.kubectl(way.namespace)
    if kubectl is None:
        raise NoGalleryError("the gallery is reached by kubectl port-forward, but there is no kubectl on PATH")
    if way.lease:
        option = f"{way.namespace}/{way.service.removeprefix(_SERVICE)}"
        trusting.confirm(server, way.lease, f"{way.service} in namespace {way.namespace}", option)
    command, environment = kubectl
    with subprocess.Popen(
        [*command, "port-forward", "--address", "127.0.0.1", way.service, ":80"],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        try:
            port = _port(process.stdout)
            # Discard what kubectl prints for each connection: a full pipe would block it.
            threading.Thread(target=deque, args=(process.stdout or (), 0), daemon=True).start()
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def named(gallery: str | None, account: str | None, *, writes: bool = False) -> Way:
    """Return the way to the gallery that the user named: a URL, or NAMESPACE/SERVICE for a port-forward; None: the
    published one.
    """
    namespace, slash, service = (gallery or "").partition("/")
    if gallery and slash and "/" not in service and ":" not in gallery:
        return Way(None, account, _SERVICE + service, namespace, writes=writes)
    return Way(gallery, account, writes=writes)


def token(connection: Connection, way: Way) -> str:
    """Return the user's own token, or a new one of `way.account`; unless `way.writes`, only the gallery accepts it.

    The gallery's audience has the name of `way.namespace`. If nothing tells the namespace, as for a URL of the user's
    own beside an operator that publishes nothing, the account's token is one of the API server.

    Raises UsageError if there is none.
    """
    if way.account:
        path = paths.core(connection.namespace, "serviceaccounts", way.account) + "/token"
        audiences = [audience(way.namespace)] if way.namespace and not way.writes else []
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": _TOKEN_SECONDS, "audiences": audiences},
        }
        return str(connection.api.post(path, request)["status"]["token"])
    own = connection.api.token()
    if own is None:
        raise UsageError(
            "the gallery needs a token, but this kubeconfig authenticates by a certificate: use a "
            "service account of yours "
            "with --account"
        )
    return own


def _port(output: IO[bytes] | None) -> int:
    """Return the local port that kubectl prints. Raises NoGalleryError with any other output."""
    output_so_far = b""
    deadline = time.monotonic() + _FORWARD_SECONDS
    with selectors.DefaultSelector() as selector:
        if output is not None:
            selector.register(output, selectors.EVENT_READ)
        while output is not None and selector.select(max(0.0, deadline - time.monotonic())):
            chunk = os.read(output.fileno(), 4096)
            output_so_far += chunk
            if match := _FORWARDED.search(output_so_far.decode(errors="replace")):
                return int(match[1])
            if not chunk:
                break
    raise NoGalleryError(
        "the gallery has no address for users (chart value gallery.url), and kubectl port-forward to it failed: "
        + output_so_far.decode(errors="replace").strip()
    )
