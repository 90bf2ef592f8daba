"""Predictions, their metrics, and how these vary over images."""
