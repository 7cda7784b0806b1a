"""ReconstructionJobs as the API server has them, and what people want to know of them. No I/O."""
