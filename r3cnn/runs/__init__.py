"""A whole run: its cost, its progress, and whether the machine fits."""
