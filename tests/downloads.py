"""Downloads in miniature, in the exact layout of the official ones: invented ids, grey or coloured squares."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from learnability.datasets.source import check_source, open_source
from learnability.errors import InputError


def save_image(path: Path, value: int, mode: str = "L") -> None:
    """Save an image of one value; JPEG keeps it to within a few grey levels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (16, 12), value if mode == "L" else (value,) * 3).save(path)


def values(source) -> list[int]:
    """The mean of every image of a collection, which identifies it."""
    return [round(float(np.mean(source.read(i)))) for i in range(len(source.samples))]


def message_of(entry: dict, function=open_source) -> str:
    """The single line of error that a user sees."""
    with pytest.raises(InputError) as caught:
        function(entry)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def check_message(entry: dict) -> str:
    """The line of error that a user sees before any job starts."""
    return message_of(entry, check_source)
