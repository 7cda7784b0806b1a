"""Transfers: photos in (folders, downloads, archives, checks) and results out (`outputs`), within limits and tenancy."""
