"""The operator: Kubernetes, its view of Redis, and the reconcile loop."""
