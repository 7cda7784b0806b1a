"""The API server: a connection by kubeconfig, requests, lists, and the manifests of jobs."""
