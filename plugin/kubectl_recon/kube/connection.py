"""Connection to a cluster: by kubeconfig, as in kubectl, or by a pod's service account."""

from __future__ import annotations

from dataclasses import dataclass

from reconstruction_operator.kube.access import find_cluster
from reconstruction_operator.kube.errors import NoClusterError

from kubectl_recon.errors import KubeconfigError
from kubectl_recon.kube.api import Api


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
    try:
        access = find_cluster(context=context, kubeconfig=kubeconfig)
    except NoClusterError as error:
        raise KubeconfigError(str(error)) from error
    return Connection(Api(access), access.context, namespace or access.namespace, access.kubeconfig)
