"""A trained model on images of one's own."""
