"""All that speaks to Redis and to the job folders."""
