"""A finding of `learnability check`, and how to look at a part that may raise any error."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError

LONGEST = 600  # characters of what a library says


@dataclass
class Line:
    """One finding: what it is about, what was found, and whether the study can run in spite of it."""

    subject: str
    text: str
    ready: bool = True
    warning: bool = False


def lines_of(subject: str, look: Callable, *arguments) -> list[Line]:
    """What `look` finds, or a line with the error it raises, whatever that is, so that all other checks still run."""
    try:
        return look(*arguments)
    except InputError as error:
        return [Line(subject, str(error), ready=False)]
    except (Exception, SystemExit) as error:  # a class of the user's own may end the process as well
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
