"""The API server: access, the watch and its cache, users, their rights, and writes as the user."""
