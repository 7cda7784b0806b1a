"""Looking at inputs without copying them: what a job would fail of after hours in a queue."""
