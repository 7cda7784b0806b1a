"""The API server: a connection by kubeconfig, requests, lists and watches."""
