"""Benchmarks: the operator beside the API server's own limit and an ordinary operator, in one run.

`python -m benchmarks --help`.

rows      the measurements, and the figures that each returns
systems   what is measured: our operator and worker, and the ordinary ones of `ordinary/`
clients   the load: many creates, and a watch of all jobs
loads     the load of each kind of row
usage     CPU seconds and memory of processes
report    the table and the JSON

Separate programs: `photogrammetry` (the engine) and `recording`.
"""
