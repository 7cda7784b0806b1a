"""Local run: one reconstruction on this machine, without Kubernetes and Redis."""
