"""System under test: the real servers, operators and workers, the proxies between them, and the users' jobs."""
