"""Services for other programs: the two-step cancel of a job, and a job's files."""
