"""Client of the web gallery: through a port-forward, signed in with the user's own token."""
