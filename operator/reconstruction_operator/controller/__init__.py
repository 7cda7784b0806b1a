"""All that speaks to Kubernetes."""
