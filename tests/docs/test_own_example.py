"""README's example of a study of one's own is own_small.yaml, which tests/runs/test_own_small.py runs."""

import yaml

from learnability.study.configuration import ROOT
from tests.pages import files_of_pages

OWN_SMALL = (ROOT / "workflow/studies/own_small.yaml").read_text(encoding="utf-8")
EXAMPLE = files_of_pages()["my_study.yaml"]


def within(part, whole) -> bool:
    """Whether `whole` has everything that `part` has, with the same values."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and within(value, whole[key]) for key, value in part.items())
    return part == whole


def test_every_line_of_the_example_is_one_of_the_study():
    first, *lines = EXAMPLE.splitlines()
    assert "workflow/studies/own_small.yaml" in first  # `# my_study.yaml, ...`: where the rest of it is
    assert [line for line in lines if line and line not in OWN_SMALL.splitlines()] == []
    assert within(yaml.safe_load(EXAMPLE), yaml.safe_load(OWN_SMALL))


def test_the_example_has_what_a_reader_must_change():
    example = yaml.safe_load(EXAMPLE)
    (dataset,), (autoencoder,) = example["datasets"].values(), example["autoencoders"].values()
    assert {"format", "root"} <= set(dataset)
    assert {"class", "source", "channels", "factor"} <= set(autoencoder)
    assert {"datasets", "autoencoders", "controls"} <= set(example["study"])
