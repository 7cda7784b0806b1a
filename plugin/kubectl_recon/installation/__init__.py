"""Installation state, as far as the user's rights allow: the operator's Lease, pods and metrics."""
