"""The real HAM10000, where the machine has it: what the label file holds, and its exact duplicates."""

import os

import pytest
import yaml

from learnability.datasets.duplicates import count_duplicates, digest_image, find_duplicates
from learnability.datasets.source import open_source
from tests.conftest import CHECKOUT

pytestmark = pytest.mark.skipif("HAM10000_ROOT" not in os.environ, reason="HAM10000_ROOT is not set: no real images")


@pytest.fixture(scope="module")
def source():
    study = yaml.safe_load((CHECKOUT / "workflow/studies/ham10000.yaml").read_text(encoding="utf-8"))
    entry = study["datasets"]["ham10000"]
    return open_source({key: value for key, value in entry.items() if key != "subset"})


def test_images_lesions_and_classes_are_the_published_ones(source):
    samples = source.samples
    assert (len(samples), samples["group"].nunique()) == (10015, 7470)
    expected = {"nv": 6705, "mel": 1113, "bkl": 1099, "bcc": 514, "akiec": 327, "vasc": 142, "df": 115}
    assert samples["label_name"].value_counts().to_dict() == expected


def test_its_exact_duplicates_lie_within_lesions(source):
    contents = b"".join(digest_image(source.read(i)) for i in range(len(source.samples)))
    counted = count_duplicates(find_duplicates(source.samples, contents))
    assert counted == {"images": 4, "across_groups": 0, "with_conflicting_labels": 0}
