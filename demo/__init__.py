"""Demo (`make demo`): from `kubectl apply` to a mesh on this machine, and a job cancelled in two steps."""
