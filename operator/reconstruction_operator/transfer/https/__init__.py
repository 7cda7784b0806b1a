"""Inputs from `https://` servers: permitted addresses, the connection, its minimum speed, and the download."""
