"""The error that a user can fix."""

LISTED = 20  # names in a message


class InputError(Exception):
    """Something the user can fix: the message names the file or key, what is wrong, and what to do."""


def quoted(names: list[str]) -> str:
    """The first of many names, each in quotation marks."""
    return first_of([*map(repr, names)])


def first_of(texts: list[str], between: str = ", ") -> str:
    """The first of many texts, and how many more there are: a message with thousands hides the advice."""
    more = len(texts) - LISTED
    return between.join(texts[:LISTED]) + (f" and {more} more" if more > 0 else "")
