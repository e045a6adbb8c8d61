"""The real HAM10000, if the machine has it: what the label file holds, and its exact duplicates."""

import os
from pathlib import Path

import pandas as pd
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


def test_blanks_behind_its_lesions_change_no_group(source, tmp_path):
    study = yaml.safe_load((CHECKOUT / "workflow/studies/ham10000.yaml").read_text(encoding="utf-8"))
    entry = study["datasets"]["ham10000"]
    real = Path(os.environ["HAM10000_ROOT"]).expanduser()
    (tmp_path / "images").symlink_to(real / "images")
    table = pd.read_csv(real / "HAM10000_metadata.csv", dtype=str, keep_default_na=False)
    second = table["lesion_id"].duplicated()
    table.loc[second, "lesion_id"] += "\u00a0"
    table.to_csv(tmp_path / "HAM10000_metadata.csv", index=False)
    blank = open_source({key: value for key, value in entry.items() if key != "subset"} | {"root": str(tmp_path)})
    assert blank.samples.equals(source.samples)
    assert blank.names["stripped"] == {"lesion_id": int(second.sum())}
