"""Rules: what to do with a job, one module for each situation."""
