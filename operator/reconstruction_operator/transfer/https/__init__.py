"""Inputs from `https://` servers: addresses that may be connected to, the connection, and the download."""
