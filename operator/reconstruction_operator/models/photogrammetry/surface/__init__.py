"""Surface: Poisson reconstruction and mesh clean-up."""
