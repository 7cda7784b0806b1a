"""Connection to a cluster: by kubeconfig, as in kubectl, or by a pod's service account."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client, config
from kubernetes.config.config_exception import ConfigException

from kubectl_recon.errors import KubeconfigError
from kubectl_recon.kube.api import Api

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_UNUSABLE = (ConfigException, OSError, TypeError, KeyError, ValueError, yaml.YAMLError)  # what the loader raises


@dataclass(frozen=True, slots=True)
class Connection:
    """The API of one cluster, and the namespace of the context."""

    api: Api
    context: str  # empty in a pod
    namespace: str
    kubeconfig: str = ""  # paths of the files, as in KUBECONFIG; empty in a pod


def connect(context: str | None = None, kubeconfig: str | None = None, namespace: str | None = None) -> Connection:
    """Connect as kubectl would. Raises KubeconfigError.

    This loads the credentials, and may run an exec plugin, but sends no request to the API server.
    """
    files = _files(kubeconfig)
    if not kubeconfig and not _exists(files) and (_ACCOUNT / "token").is_file():
        return _in_pod(namespace)
    if not _exists(files):
        raise KubeconfigError(f"there is no kubeconfig at {files}: set --kubeconfig or KUBECONFIG")
    try:
        contexts, active = config.list_kube_config_contexts(files)  # type: ignore[no-untyped-call]
        chosen = _context(contexts, active, context or _current(files))
        loaded = config.new_client_from_config(files, chosen["name"], persist_config=False)  # type: ignore[no-untyped-call]
    except _UNUSABLE as error:
        raise KubeconfigError(f"the kubeconfig {files} cannot be used: {error}") from error
    # For a context without a cluster's address, the client would use its own default.
    if not loaded.configuration.host:
        raise KubeconfigError(f"context {chosen['name']} of {files} has no server")
    home = chosen.get("context", {}).get("namespace") or "default"
    return Connection(Api(loaded), str(chosen["name"]), namespace or home, files)


def _current(files: str) -> str | None:
    """Return the current context of several files: the first one that is set, as in kubectl. The loader uses the last one."""
    paths = [Path(one).expanduser() for one in files.split(os.pathsep) if one]
    for path in paths if len(paths) > 1 else ():
        content = yaml.safe_load(path.read_text()) if path.is_file() else None
        if isinstance(content, dict) and content.get("current-context"):
            return str(content["current-context"])
    return None


def _context(contexts: list[dict[str, Any]], active: dict[str, Any], wanted: str | None) -> dict[str, Any]:
    if wanted is None:
        return active
    for one in contexts:
        if one.get("name") == wanted:
            return one
    known = ", ".join(sorted(str(one.get("name")) for one in contexts))
    raise ConfigException(f'there is no context "{wanted}"; available: {known}')


def context_names(kubeconfig: str | None = None) -> list[str]:
    """Return the contexts of the kubeconfig; none if it cannot be read."""
    try:
        contexts, _ = config.list_kube_config_contexts(_files(kubeconfig))  # type: ignore[no-untyped-call]
    except _UNUSABLE:
        return []
    return [str(one["name"]) for one in contexts]


def _files(kubeconfig: str | None) -> str:
    return kubeconfig or os.environ.get("KUBECONFIG") or str(config.KUBE_CONFIG_DEFAULT_LOCATION)


def _exists(files: str) -> bool:
    return any(Path(one).expanduser().is_file() for one in files.split(os.pathsep) if one)


def _in_pod(namespace: str | None) -> Connection:
    configuration = client.Configuration()
    try:
        config.load_incluster_config(configuration)  # type: ignore[no-untyped-call]
        home = (_ACCOUNT / "namespace").read_text().strip()
    except (ConfigException, OSError) as error:
        raise KubeconfigError(f"the pod's service account cannot be used: {error}") from error
    return Connection(Api(client.ApiClient(configuration)), "", namespace or home)
