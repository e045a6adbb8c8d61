"""ImageNet as an ImageFolder: classes are the sorted wordnet ids, and nothing else may be a class."""

import pytest

from learnability.datasets.source import check_source, open_source
from tests.downloads import check_message, message_of, save_image, values

TREE = {"n90000002": ["n90000002_1", "n90000002_10"], "n90000001": ["n90000001_7"]}


def write_imagenet(root):
    for label, names in TREE.items():
        for number, name in enumerate(names, start=1):
            save_image(root / "train" / label / f"{name}.JPEG", 30 * number + int(label[-1]), "RGB")
    return {"format": "imagenet", "root": str(root)}


@pytest.mark.parametrize("threads", [1, 4])
def test_classes_are_the_sorted_wordnet_ids(tmp_path, threads):
    source = open_source(write_imagenet(tmp_path), threads)
    assert source.classes == ["n90000001", "n90000002"]
    assert source.samples["sample_id"].tolist() == ["n90000001_7", "n90000002_1", "n90000002_10"]
    assert source.samples["label_name"].tolist() == ["n90000001", "n90000002", "n90000002"]
    assert source.samples["group"].is_unique
    assert values(source) == pytest.approx([31, 32, 62], abs=2)
    assert source.grouped_by == "every image its own group"
    assert not source.grouped


def test_counts_are_compared_with_the_published_ones(tmp_path):
    differences = open_source(write_imagenet(tmp_path)).published["differences"]
    assert differences["classes"] == {"published": 1000, "found": 2}
    assert differences["images"] == {"published": 1281167, "found": 3}


def test_a_subset_reads_its_own_images(tmp_path):
    source = open_source(write_imagenet(tmp_path) | {"subset": {"images": 2}})
    assert sorted(source.samples["label_name"]) == ["n90000001", "n90000002"]
    second = source.samples["sample_id"].tolist().index("n90000001_7")
    assert values(source)[second] == pytest.approx(31, abs=2)


def test_the_check_looks_into_a_folder_only(tmp_path):
    entry = write_imagenet(tmp_path)
    check_source(entry)
    (tmp_path / "train/n90000001/n90000001_7.JPEG").unlink()
    assert "n90000001: no image; unpack the archive of each class" in check_message(entry)


def test_a_missing_train_folder_is_named(tmp_path):
    assert f"{tmp_path}: train missing" in check_message({"format": "imagenet", "root": str(tmp_path)})


def test_an_empty_train_folder_is_named(tmp_path):
    (tmp_path / "train").mkdir()
    assert "train: no folders; expected one folder per class" in check_message(
        {"format": "imagenet", "root": str(tmp_path)}
    )


def test_a_folder_that_is_no_class_is_named(tmp_path):
    entry = write_imagenet(tmp_path)
    (tmp_path / "train/cats").mkdir()
    assert "folder 'cats' is no wordnet id" in message_of(entry)
