"""Conformance: whether manifests match other releases of Kubernetes, by kubeconform, and other projects' CRDs.

No schema is downloaded: the schemas are made from the OpenAPI document in each release of the Go module k8s.io/kubernetes.

Modules: `kubeconform` (the program), `schemas` (from OpenAPI to what it reads), `released` (the modules, pinned).
"""

from devcluster.programs.conformance.kubeconform import kubeconform
from devcluster.programs.conformance.released import KEDA_CRDS, KUBERNETES_NEWEST, KUBERNETES_OLDEST, MONITORING_CRDS

__all__ = ["KEDA_CRDS", "KUBERNETES_NEWEST", "KUBERNETES_OLDEST", "MONITORING_CRDS", "kubeconform"]
