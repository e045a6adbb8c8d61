"""Words for numbers, for all that is printed, from the messages of a format to the summary."""


def counted(number: int, noun: str) -> str:
    """'1 fold', '2 folds', '2 classes', '3 searches', '1,205 images'."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}{'es' if noun.endswith(('ss', 'ch')) else 's'}"
