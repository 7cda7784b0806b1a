"""kubectl recon: ReconstructionJobs from the command line, with the rights of the kubeconfig and nothing else."""

from typing import Final

__version__: Final = "0.1.0"
