"""CARDIUM's folder tree: one fold holds everything, patients are groups, images are in the order of their numbers."""

import shutil

import pytest

from learnability.datasets.source import check_source, open_source
from tests.downloads import check_message, message_of, save_image, values

PATIENTS = [  # part, class, patient, numbers
    ("train", "CHD", "901", [10, 2]),
    ("train", "Non_CHD", "902", [1]),
    ("test", "CHD", "903", [1]),
    ("test", "Non_CHD", "904", [3, 1]),
]
IN_ORDER = ["2_901", "10_901", "1_902", "1_903", "1_904", "3_904"]


def write_cardium(root, place="cardium_images_anon", folds=(1, 2, 3), suffixes=("jpeg", "jpg", "png")):
    for fold in folds:
        number = 0
        for part, label, patient, numbers in PATIENTS:
            for n in numbers:
                number += 1
                folder = root / place / f"fold_{fold}" / part / label / patient
                save_image(folder / f"{n}_{patient}.{suffixes[number % len(suffixes)]}", 20 * number, "RGB")
    return {"format": "cardium", "root": str(root), "positive": "CHD"}


@pytest.mark.parametrize("place", [".", "cardium_images_anon", "data/cardium_images_anon"])
def test_one_fold_is_read_whole_and_only_one(tmp_path, place):
    source = open_source(write_cardium(tmp_path, place))
    assert source.samples["sample_id"].tolist() == IN_ORDER
    assert source.provenance["folder"] == "fold_1"
    assert values(source) == pytest.approx([40, 20, 60, 80, 120, 100], abs=3)
    check_source(write_cardium(tmp_path, place))


def test_any_fold_gives_the_same_images(tmp_path):
    first = open_source(write_cardium(tmp_path))
    shutil.rmtree(tmp_path / "cardium_images_anon/fold_1")
    second = open_source(write_cardium(tmp_path, folds=(2,)))
    assert second.samples.equals(first.samples)
    assert second.provenance["folder"] == "fold_2"


def test_the_patient_folder_is_the_group_and_chd_the_first_class(tmp_path):
    source = open_source(write_cardium(tmp_path))
    assert source.grouped
    assert source.samples["group"].tolist() == ["901", "901", "902", "903", "904", "904"]
    assert source.samples["label_name"].tolist() == ["CHD", "CHD", "Non_CHD", "CHD", "Non_CHD", "Non_CHD"]
    assert source.classes == ["CHD", "Non_CHD"]


def test_counts_are_compared_with_the_published_ones(tmp_path):
    published = open_source(write_cardium(tmp_path)).published
    assert published["differences"]["CHD"] == {"published": 1068, "found": 3}


def test_what_is_no_image_is_left_out_and_said(tmp_path, capsys):
    entry = write_cardium(tmp_path)
    patient = tmp_path / "cardium_images_anon/fold_1/train/CHD/901"
    (patient / "notes.txt").write_text("")
    (patient / ".DS_Store").write_text("")
    assert open_source(entry).samples["sample_id"].tolist() == IN_ORDER
    assert "901: 1 name left out as not named like an image, the first is notes.txt" in capsys.readouterr().out


def test_the_provenance_follows_the_tree(tmp_path):
    entry = write_cardium(tmp_path)
    before = open_source(entry).provenance["listing"]
    save_image(tmp_path / "cardium_images_anon/fold_1/test/CHD/903/2_903.png", 9)
    assert open_source(entry).provenance["listing"] != before


def test_a_root_without_folds_is_named(tmp_path):
    message = check_message({"format": "cardium", "root": str(tmp_path)})
    assert f"{tmp_path}: no folder fold_1, fold_2 or fold_3" in message
    assert "correct `root`" in message


def test_a_fold_that_lacks_a_part_is_named(tmp_path):
    entry = write_cardium(tmp_path)
    shutil.rmtree(tmp_path / "cardium_images_anon/fold_1/test/CHD")
    assert "fold_1: test/CHD missing; a fold holds train and test" in check_message(entry)


def test_an_image_that_is_not_numbered_is_named(tmp_path):
    entry = write_cardium(tmp_path)
    save_image(tmp_path / "cardium_images_anon/fold_1/train/CHD/901/copy.png", 9)
    assert "copy.png: expected <number>_<patient>" in message_of(entry)


def test_a_patient_under_both_classes_is_refused(tmp_path):
    entry = write_cardium(tmp_path)
    save_image(tmp_path / "cardium_images_anon/fold_1/train/Non_CHD/903/7_903.png", 9)
    assert "1 patient(s) under both CHD and Non_CHD, the first is folder '903'" in message_of(entry)


def test_an_image_in_both_parts_is_refused(tmp_path):
    entry = write_cardium(tmp_path)
    save_image(tmp_path / "cardium_images_anon/fold_1/train/CHD/903/1_903.png", 9)
    assert "fold_1: 1 duplicate sample id, the first is '1_903'" in message_of(entry)
