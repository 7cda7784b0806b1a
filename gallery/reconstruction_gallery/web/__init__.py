"""HTTP: sessions, the identity of a request, security headers, routes."""
