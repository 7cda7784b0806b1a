"""Status: what is reported of one job, in `.status` and in Events."""
