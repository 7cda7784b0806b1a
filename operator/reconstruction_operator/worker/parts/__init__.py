"""Parts: workers that help with the long stages of one job's run, and the run that they help."""
