"""Surface: the region of interest, Poisson reconstruction, mesh clean-up, and ray casting."""
