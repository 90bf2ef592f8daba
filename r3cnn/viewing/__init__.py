"""A trained model on the user's own images."""
