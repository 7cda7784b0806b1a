"""Whether manifests are what Kubernetes releases other than our own know, by kubeconform; and other projects' CRDs.

Nothing is asked of the internet's schema collections: the schemas are made from the OpenAPI document that each release of the
Go module k8s.io/kubernetes carries.

Rooms: `kubeconform` (the program), `schemas` (from OpenAPI to what it reads), `released` (the modules, pinned).
"""

from devcluster.programs.conformance.kubeconform import kubeconform
from devcluster.programs.conformance.released import KEDA_CRDS, KUBERNETES_NEWEST, KUBERNETES_OLDEST, MONITORING_CRDS

__all__ = ["KEDA_CRDS", "KUBERNETES_NEWEST", "KUBERNETES_OLDEST", "MONITORING_CRDS", "kubeconform"]
