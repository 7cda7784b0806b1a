"""Jobs: ReconstructionJobs as the API server stores them, and their state in words. No I/O."""
