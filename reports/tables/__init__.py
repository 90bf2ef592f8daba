"""Tables 1-4: specified, built, rendered."""
