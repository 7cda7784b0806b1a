"""kubectl recon: manages ReconstructionJobs from the command line, with the rights of the kubeconfig."""

from typing import Final

__version__: Final = "0.1.0"
