"""A training that survives faults, and what it publishes."""
