"""Checkpoints and detectors: read, converted, built, counted, exported."""
