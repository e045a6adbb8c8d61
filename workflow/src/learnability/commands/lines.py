"""A finding of `learnability check`, and a way to examine a part that may raise any error."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError

LONGEST = 600  # characters of a library's message


@dataclass
class Line:
    """One finding: its subject, what was found, and whether the study can run in spite of it."""

    subject: str
    text: str
    ready: bool = True
    warning: bool = False


def lines_of(subject: str, look: Callable, *arguments) -> list[Line]:
    """The findings of `look`, or a line with any error it raises, so that all other checks still run."""
    try:
        return look(*arguments)
    except InputError as error:
        return [Line(subject, str(error), ready=False)]
    except (Exception, SystemExit) as error:  # an own class may even try to end the process
        return [Line(subject, in_one_line(error), ready=False)]


def in_one_line(error: BaseException) -> str:
    """Kind, message and notes of an error, and the last line outside installed packages that led to it."""
    text = " ".join([str(error), *getattr(error, "__notes__", [])])
    text = " ".join(text.split()) or "without a message"
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "site-packages" not in frame.filename] or frames
    place = f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
    return f"{type(error).__name__}: {text}{place}"
