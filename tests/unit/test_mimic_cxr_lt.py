"""MIMIC-CXR-LT as it is downloaded: three label files pooled, the subject as group, each image once."""

import pytest

from learnability.datasets.source import check_source, open_source
from tests.downloads import check_message, message_of, save_image, values

NAMES = [  # the order of the official header
    "Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Enlarged Cardiomediastinum", "Fracture", "Lung Lesion",
    "Lung Opacity", "No Finding", "Pleural Effusion", "Pleural Other", "Pneumonia", "Pneumothorax", "Support Devices",
    "Pneumoperitoneum", "Pneumomediastinum", "Subcutaneous Emphysema", "Tortuous Aorta", "Calcification of the Aorta",
]  # fmt: skip
PARTS = {  # (subject, study, image, class), all invented
    "train": [("19000001", "59000001", "aaaa-1", "No Finding"), ("19000002", "59000002", "bbbb-2", "Edema")],
    "balanced-val": [("19000003", "59000003", "cccc-3", "Tortuous Aorta")],
    "test": [("18000001", "59000004", "dddd-4", "Pneumonia"), ("18000001", "59000005", "eeee-5", "No Finding")],
    "balanced-test": [("18000001", "59000004", "dddd-4", "Pneumonia")],
}


def file_name(part):
    return f"mimic-cxr-lt_single-label_{part}.csv"


def write_mimic(root, labels="labels", parts=PARTS):
    (root / labels).mkdir(exist_ok=True)
    number = 0
    for part, rows in parts.items():
        lines = [",".join(["subject_id", "study_id", "dicom_id", "path", *NAMES])]
        for subject, study, image, label in rows:
            number += 1
            path = f"files/p{subject[:2]}/p{subject}/s{study}/{image}.jpg"
            lines.append(",".join([subject, study, image, path, *("1" if name == label else "0" for name in NAMES)]))
            if part != "balanced-test":
                save_image(root / path, 20 * number)
        (root / labels / file_name(part)).write_text("\n".join(lines) + "\n")
    return {"format": "mimic_cxr_lt", "root": str(root)}


@pytest.mark.parametrize("labels", ["labels", "."])
def test_training_validation_and_test_part_are_pooled_and_balanced_test_is_not(tmp_path, labels):
    source = open_source(write_mimic(tmp_path, labels))
    assert source.samples["sample_id"].tolist() == ["aaaa-1", "bbbb-2", "cccc-3", "dddd-4", "eeee-5"]
    expected = ["No Finding", "Edema", "Tortuous Aorta", "Pneumonia", "No Finding"]
    assert source.samples["label_name"].tolist() == expected
    assert set(source.provenance["tables"]) == {file_name(part) for part in ("train", "balanced-val", "test")}


def test_the_subject_is_the_group_and_classes_are_alphabetical(tmp_path):
    source = open_source(write_mimic(tmp_path))
    assert source.grouped
    assert source.samples["group"].tolist() == ["19000001", "19000002", "19000003", "18000001", "18000001"]
    assert source.classes == sorted(NAMES)
    assert len(source.classes) == 19


def test_images_are_grey_and_found_in_the_tree(tmp_path):
    source = open_source(write_mimic(tmp_path))
    assert source.channels == 1
    assert values(source) == pytest.approx([20, 40, 60, 80, 100], abs=2)
    check_source(write_mimic(tmp_path))


def test_counts_are_compared_with_the_published_ones(tmp_path):
    differences = open_source(write_mimic(tmp_path)).published["differences"]
    assert differences["images"] == {"published": 111328, "found": 5}
    assert differences["balanced-val"] == {"published": 285, "found": 1}


def test_missing_label_files_and_images_are_said_at_once(tmp_path):
    entry = write_mimic(tmp_path)
    (tmp_path / "labels" / file_name("test")).unlink()
    (tmp_path / "files").rename(tmp_path / "jpegs")
    message = check_message(entry)
    assert f"{tmp_path}: labels/{file_name('test')}, files missing; expected the folder of MIMIC-CXR-JPG" in message


def test_an_empty_root_names_all_three_files(tmp_path):
    message = check_message({"format": "mimic_cxr_lt", "root": str(tmp_path)})
    assert [part for part in ("train", "balanced-val", "test") if f"labels/{file_name(part)}" not in message] == []


def test_the_same_image_in_two_parts_is_refused(tmp_path):
    message = message_of(write_mimic(tmp_path, parts=PARTS | {"train": PARTS["test"][:1]}))
    assert "1 duplicate sample id, the first is 'dddd-4'" in message


def test_another_class_list_is_refused(tmp_path):
    entry = write_mimic(tmp_path)
    path = tmp_path / "labels" / file_name("test")
    path.write_text(path.read_text().replace("Tortuous Aorta", "Hernia", 1))
    message = message_of(entry)
    assert f"{file_name('test')}: the class list differs" in message
    assert "missing ['Tortuous Aorta'], unknown ['Hernia']" in message


def test_a_row_without_a_label_is_named(tmp_path):
    entry = write_mimic(tmp_path)
    path = tmp_path / "labels" / file_name("train")
    path.write_text(path.read_text().replace(",1,", ",0,"))
    assert f"{file_name('train')}: 2 rows without exactly one positive label; the first is 'aaaa-1'" in message_of(
        entry
    )
