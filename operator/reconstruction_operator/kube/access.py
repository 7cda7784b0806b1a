"""Access: finds the API server and the credentials, as kubectl does, or by a pod's service account.

It sends no request.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from kubernetes import config
from kubernetes.client.configuration import Configuration
from kubernetes.config.config_exception import ConfigException

from reconstruction_operator.kube.errors import NoClusterError

UNUSABLE: Final = (ConfigException, OSError, TypeError, KeyError, ValueError, yaml.YAMLError)
"""What the loader of a kubeconfig raises."""
_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_HOME_CONFIG: Final = Path(".kube") / "config"


@dataclass(frozen=True, slots=True)
class ClusterAccess:
    """The address of the API server, and the credentials for it."""

    server: str
    configuration: Configuration
    context: str = ""  # of the kubeconfig; empty in a pod
    namespace: str = "default"
    kubeconfig: str = ""  # paths of the files, as in KUBECONFIG; empty in a pod

    def authorization(self) -> str:
        """Return the Authorization header; empty without one. Tokens are rotated, so it is read again each time.

        It may run a kubeconfig's exec plugin. Raises an exception of `UNUSABLE`.
        """
        scheme, _, value = str(self.configuration.get_api_key_with_prefix("BearerToken") or "").rpartition(" ")
        return f"{scheme or 'Bearer'} {value.strip()}" if value.strip() else ""

    def ssl_context(self, *, client_certificate: bool = True) -> ssl.SSLContext:
        """Return a TLS context. Raises OSError if a certificate cannot be read."""
        context = ssl.create_default_context(cafile=self.configuration.ssl_ca_cert or None)
        if client_certificate and self.configuration.cert_file:
            context.load_cert_chain(self.configuration.cert_file, self.configuration.key_file)
        if not self.configuration.verify_ssl:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context


def kubeconfig_files(named: str | None = None, environ: Mapping[str, str] = os.environ) -> str:
    """Return the paths of the kubeconfig: those that are named, of KUBECONFIG, or ~/.kube/config."""
    home = Path(environ.get("HOME") or "/nonexistent")
    return named or environ.get("KUBECONFIG") or str(home / _HOME_CONFIG)


def find_cluster(
    environ: Mapping[str, str] = os.environ, *, context: str | None = None, kubeconfig: str | None = None
) -> ClusterAccess:
    """Return the API server of the kubeconfig, or if there is no such file, of the pod. Raises NoClusterError.

    This loads the credentials, and may run an exec plugin.
    """
    files = kubeconfig_files(kubeconfig, environ)
    exists = any(Path(path).expanduser().is_file() for path in files.split(os.pathsep) if path)
    if not kubeconfig and not exists and (_ACCOUNT / "token").is_file():
        return _in_pod()
    if not exists:
        raise NoClusterError(f"no API server: there is no kubeconfig at {files} and no service account: set KUBECONFIG")
    configuration = Configuration()
    try:
        contexts, active = config.list_kube_config_contexts(files)  # type: ignore[no-untyped-call]  # the library is not annotated
        chosen = _context(contexts, active, context or _current(files))
        config.load_kube_config(files, chosen["name"], configuration, persist_config=False)  # type: ignore[no-untyped-call]  # the same
    except UNUSABLE as error:
        raise NoClusterError(f"the kubeconfig {files} cannot be used: {error}") from error
    if not configuration.host:
        raise NoClusterError(f"context {chosen['name']} of {files} has no server")
    namespace = chosen.get("context", {}).get("namespace") or "default"
    return ClusterAccess(str(configuration.host).rstrip("/"), configuration, str(chosen["name"]), namespace, files)


def context_names(kubeconfig: str | None = None) -> list[str]:
    """Return the contexts of the kubeconfig; none if it cannot be read."""
    try:
        contexts, _ = config.list_kube_config_contexts(kubeconfig_files(kubeconfig))  # type: ignore[no-untyped-call]  # the same
    except UNUSABLE:
        return []
    return [str(context["name"]) for context in contexts]


def _current(files: str) -> str | None:
    """Return the current context of several files: the first one that is set, as in kubectl.

    The loader uses the last one.
    """
    paths = [Path(path).expanduser() for path in files.split(os.pathsep) if path]
    for path in paths if len(paths) > 1 else ():
        content = yaml.safe_load(path.read_text()) if path.is_file() else None
        if isinstance(content, dict) and content.get("current-context"):
            return str(content["current-context"])
    return None


def _context(contexts: list[dict[str, Any]], active: dict[str, Any], wanted: str | None) -> dict[str, Any]:
    if wanted is None:
        return active
    for context in contexts:
        if context.get("name") == wanted:
            return context
    available = ", ".join(sorted(str(context.get("name")) for context in contexts))
    raise ConfigException(f'there is no context "{wanted}"; available: {available}')


def _in_pod() -> ClusterAccess:
    configuration = Configuration()
    try:
        config.load_incluster_config(configuration)  # type: ignore[no-untyped-call]  # the same
        namespace = (_ACCOUNT / "namespace").read_text().strip()
    except (ConfigException, OSError) as error:
        raise NoClusterError(f"the pod's service account cannot be used: {error}") from error
    return ClusterAccess(str(configuration.host).rstrip("/"), configuration, namespace=namespace)
