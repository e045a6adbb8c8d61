"""The README and the page on limits give the answer of the page on HAM10000, number by number."""

import re

from learnability.study.configuration import ROOT

PAGE = (ROOT / "docs/measurements/ham10000.md").read_text(encoding="utf-8")


def numbers_of_the_answer(text: str) -> list[str]:
    """The numbers with decimals of the paragraph that begins with it, in order."""
    return re.findall(r"−?\d+\.\d+", re.search(r"\*\*The answer.*?\n\n", text, re.DOTALL)[0])


def test_the_readme_has_the_numbers_of_the_measurements():
    told = numbers_of_the_answer((ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(told) == 9  # three gaps and their intervals
    assert [number for number in told if number not in numbers_of_the_answer(PAGE)] == []


def test_the_page_on_limits_rounds_them():
    gap, control = (round(float(numbers_of_the_answer(PAGE)[place])) for place in (0, 3))
    limits = " ".join((ROOT / "docs/limits.md").read_text(encoding="utf-8").split())
    assert f"On HAM10000 it lost {control} points where latents lost {gap}" in limits
