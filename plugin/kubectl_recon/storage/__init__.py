"""Object storage with the user's own credentials: photos to a bucket, results from one."""
