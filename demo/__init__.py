"""Demo (`make demo`): from `kubectl apply` to a mesh on this machine, and a job that is cancelled in two steps."""
