"""The method of R3-CNN and its measuring. Imports nothing heavy, so that `--help` answers at once."""
