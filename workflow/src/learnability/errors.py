"""The error that a user can mend."""


class InputError(Exception):
    """Something the user can mend: the message names the file or key, what is wrong, and what to do."""
