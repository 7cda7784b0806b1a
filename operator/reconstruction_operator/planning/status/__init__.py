"""Status: what to report of a job."""
