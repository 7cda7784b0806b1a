"""Harness: the product on a cluster, and the programs through which its users see it.

- `product`: processes on one Redis; `system`: operators and workers on a cluster; `workers`: workers without Kubernetes
- `jobs`, `kubectl`, `manifests`, `replicas`, `gallery`: what users and probes send, and the answers
- `fake_nodes`, `velero`, `collector`, `chromium`, `dashboards`: other programs beside the product
"""
