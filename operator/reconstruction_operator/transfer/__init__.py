"""Transfers: photos in (folders, downloads, archives, checks) and results out (delivery), within limits and tenancy."""
