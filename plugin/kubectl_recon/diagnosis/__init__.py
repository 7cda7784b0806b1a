"""Diagnosis: explains the state of a job. A table of rules turns facts into an answer with advice. No I/O."""
