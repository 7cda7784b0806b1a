"""Benchmarks: the operator beside the API server's own limit and an ordinary operator, in one run. `python -m benchmarks --help`.

rows      the measurements, and the figures that each returns
systems   what is measured: our operator and worker, and the ordinary ones of `ordinary/`
clients   the load: many creates, and a watch of all jobs
limit     how fast the API server alone takes the requests that each job needs
usage     CPU seconds and memory of processes
report    the table and the JSON

`bounds`, `hostile_memory` and `photogrammetry` are programs of their own: bounds of a cancel and of a change of leader, memory
beside hostile objects, and the engine.
"""
