"""Entry points that other programs may use: the two-step cancel of a job, and a job's files."""
