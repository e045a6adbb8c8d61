"""A quick look at the files of a collection: which are missing, and which of a sample cannot be read."""

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..study.words import counted
from .prepare import UNREADABLE
from .source import Source, spread_rows

READ = 50  # images to read: the first, the last, and others between them
SECONDS = 10.0  # to look for files, and again to read some; files on a network may take long


@dataclass
class Look:
    """What was seen: how many files were looked for, read and coloured, and what is wrong, by row."""

    looked_for: int = 0
    read: int = 0
    bad: dict[int, str] = field(default_factory=dict)
    coloured: int = 0

    def in_words(self, source: Source, allowed: int) -> str:
        """Say how many files cannot be read and name the first; `allowed` is max_bad_images."""
        first = min(self.bad)
        return (
            f"{counted(len(self.bad), 'image')} cannot be read, and max_bad_images is {allowed}; the first is "
            f"{source.samples['sample_id'].iloc[first]}: {self.bad[first]}. Files looked for: "
            f"{self.looked_for}, read: {self.read}"
        )

    def good(self, source: Source) -> np.ndarray:
        """The rows of all other images."""
        return np.setdiff1d(np.arange(len(source.samples)), [*self.bad])


def look_at(source: Source, colour: bool = True) -> Look:
    """Look for the file of each image and read some; files that the time does not allow for are not judged."""
    look = Look()
    if source.path is None:
        return look
    ends, random = time.monotonic() + SECONDS, np.random.default_rng(0)
    for i in random.permutation(len(source.samples)).tolist():
        if time.monotonic() > ends:
            break
        look.looked_for += 1
        if wrong := wrong_with(source.path(i)):
            look.bad[i] = wrong
    ends = time.monotonic() + SECONDS
    rows = [i for i in spread_rows(source, READ) if i not in look.bad]
    for i in [*rows[:1], *rows[:0:-1][:1], *random.permutation(rows[1:-1]).tolist()]:
        if look.read and time.monotonic() > ends:
            break
        look.read += 1
        try:
            image = source.read(i)
            look.coloured += colour and source.has_colour(i, image)
        except UNREADABLE as error:
            look.bad[i] = str(error)
    return look


def wrong_with(path: Path) -> str:
    """Why a file cannot be read, as far as its folder shows; "" if nothing is wrong."""
    try:
        if not path.is_file():
            return f"{path} does not exist"
        return "" if path.stat().st_size else f"{path} is empty"
    except OSError as error:  # its folder may not be entered
        return f"{path} cannot be read: {error.strerror or error}"
