"""Resource: the spec, status, conditions and CRD of a ReconstructionJob.

Types only: no I/O, no clock. The CRD is made from them (`crd`).
"""
