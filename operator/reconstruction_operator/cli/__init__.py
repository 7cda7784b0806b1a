"""The command `reconstruction-operator`."""
