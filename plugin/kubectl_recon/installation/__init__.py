"""The installation as the user's rights show it: the operator's Lease, its pods and their metrics."""
