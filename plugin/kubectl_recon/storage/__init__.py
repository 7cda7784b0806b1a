"""Object storage, with the user's own credentials: uploads photos, downloads results."""
