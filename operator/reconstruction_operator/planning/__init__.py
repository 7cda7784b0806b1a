"""Planning: pure decisions, without I/O, clock or randomness.

`plan` turns a job and an observation into a status and actions; `rules/` decides, `status/` words what is reported.
`scheduling` chooses which jobs are dispatched next.
"""
