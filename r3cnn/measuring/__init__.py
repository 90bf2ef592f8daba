"""Parameters, memory and speed of a model."""
