"""What commands about the installation do: its health, its workers and models."""
