"""The one exception that a user's mistake raises."""


class UserError(Exception):
    """A mistake that the user can fix: one line that names the file, the key, and what to do."""
