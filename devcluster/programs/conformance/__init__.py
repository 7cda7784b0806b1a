"""Conformance: kubeconform checks manifests against other releases of Kubernetes and other projects' CRDs.

No schema is downloaded: the schemas are made from the OpenAPI document in each release of the Go module k8s.io/kubernetes.

- `kubeconform`: the program
- `schemas`: JSON schemas for it, from OpenAPI
- `released`: the pinned modules
"""

from devcluster.programs.conformance.kubeconform import kubeconform
from devcluster.programs.conformance.released import KEDA_CRDS, KUBERNETES_NEWEST, KUBERNETES_OLDEST, MONITORING_CRDS

__all__ = ["KEDA_CRDS", "KUBERNETES_NEWEST", "KUBERNETES_OLDEST", "MONITORING_CRDS", "kubeconform"]
