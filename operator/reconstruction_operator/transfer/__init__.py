"""Transfers: fetch photos (`fetch`), check them early (`preflight`) and deliver results (`outputs`), within limits and
allowlists.
"""
