"""One attempt of a job, from claim to end."""
