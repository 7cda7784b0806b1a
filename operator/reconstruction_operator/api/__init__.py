"""The ReconstructionJob resource: spec, status, conditions, CRD.

Types alone: no I/O, no clock. The CRD is made from them (`crd`).
"""
