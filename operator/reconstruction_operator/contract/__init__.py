"""Contract between operator and worker: what messages, keys and records mean. Pure."""
