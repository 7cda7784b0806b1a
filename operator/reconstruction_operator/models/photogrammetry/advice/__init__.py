"""Advice: where more photos would show most of the surface that is now missing, invented or seen by too few photos."""
