"""A whole run: what it costs, how far it is, whether the machine fits."""
