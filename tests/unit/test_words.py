"""Numbers in messages agree with their nouns."""

import pytest

from learnability.study.words import counted


@pytest.mark.parametrize(
    ("number", "noun", "expected"),
    [
        (0, "image", "0 images"),
        (1, "image", "1 image"),
        (1205, "image", "1,205 images"),
        (1, "class", "1 class"),
        (2, "class", "2 classes"),
        (2, "more column", "2 more columns"),
    ],
)
def test_one_of_a_thing_is_singular(number, noun, expected):
    assert counted(number, noun) == expected
