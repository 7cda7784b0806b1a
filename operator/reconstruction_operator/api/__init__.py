"""The ReconstructionJob resource: its spec, its status, its conditions, and the message that a worker is sent.

Types alone: no I/O, no clock. The CRD is made from them (`crd`).
"""
