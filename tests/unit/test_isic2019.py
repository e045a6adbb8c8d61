"""ISIC 2019 as downloaded: whole names, blank lesions kept apart, UNK no class, counts beside the published ones."""

import pytest

from learnability.datasets.source import check_source, open_source
from tests.downloads import check_message, message_of, save_image, values

NAMES = ["MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK"]  # the order of the file
TRUTH, METADATA = "ISIC_2019_Training_GroundTruth.csv", "ISIC_2019_Training_Metadata.csv"
ROWS = [  # image, class, lesion
    ("ISIC_9000001", "NV", "BCN_9000001"),
    ("ISIC_9000002_downsampled", "MEL", ""),
    ("ISIC_9000003", "NV", "BCN_9000001"),
    ("ISIC_9000004_downsampled", "BKL", "MSK4_9000004"),
    ("ISIC_9000002", "SCC", ""),
]


def write_isic(root, rows=ROWS, one="1.0", zero="0.0", unk="0.0", suffix=".jpg"):
    lines = [",".join(["image", *NAMES])]
    for image, label, _ in rows:
        lines.append(",".join([image, *(one if name == label else zero for name in NAMES[:-1]), unk]))
    (root / TRUTH).write_text("\n".join(lines) + "\n")
    # In another order than the ground truth, as nobody promises one.
    lines = [f"{image},45,anterior torso,{lesion},female" for image, _, lesion in reversed(rows)]
    (root / METADATA).write_text("image,age_approx,anatom_site_general,lesion_id,sex\n" + "\n".join(lines) + "\n")
    for number, (image, _, _) in enumerate(rows, start=1):
        save_image(root / "ISIC_2019_Training_Input" / (image + suffix), 20 * number, "RGB")
    return {"format": "isic2019", "root": str(root)}


@pytest.mark.parametrize("numbers", [("1.0", "0.0", "0.0"), ("1", "0", "0")])
def test_rows_stand_in_the_order_of_the_ground_truth_with_the_alphabetical_classes(tmp_path, numbers):
    source = open_source(write_isic(tmp_path, ROWS, *numbers))
    assert source.grouped
    assert source.samples["sample_id"].tolist() == [image for image, _, _ in ROWS]
    assert source.samples["label_name"].tolist() == [label for _, label, _ in ROWS]
    assert source.classes == ["AK", "BCC", "BKL", "DF", "MEL", "NV", "SCC", "VASC"]
    assert source.channels == 3
    assert set(source.provenance["tables"]) == {TRUTH, METADATA}


def test_a_lesion_is_a_group_and_a_blank_one_is_its_own(tmp_path):
    group = open_source(write_isic(tmp_path)).samples["group"]
    assert group[0] == group[2] == "BCN_9000001"
    assert group.nunique() == 4
    assert group[1] != group[4]


def test_names_are_matched_whole(tmp_path):
    """ISIC_9000002 and ISIC_9000002_downsampled are different images."""
    assert values(open_source(write_isic(tmp_path))) == pytest.approx([20, 40, 60, 80, 100], abs=3)


def test_the_pngs_of_a_copy_are_found(tmp_path):
    assert values(open_source(write_isic(tmp_path, suffix=".png"))) == [20, 40, 60, 80, 100]


def test_counts_are_compared_with_the_published_ones(tmp_path):
    published = open_source(write_isic(tmp_path)).published
    assert sum(published["counts"].values()) == 25331
    assert published["differences"]["NV"] == {"published": 12875, "found": 2}
    assert set(published["differences"]) == set(NAMES) - {"UNK"}


def test_a_complete_download_passes_the_check(tmp_path):
    check_source(write_isic(tmp_path))


def test_everything_that_is_missing_is_said_at_once(tmp_path):
    entry = write_isic(tmp_path)
    (tmp_path / METADATA).unlink()
    (tmp_path / "ISIC_2019_Training_Input").rename(tmp_path / "images")
    message = check_message(entry)
    assert f"{tmp_path}: {METADATA}, ISIC_2019_Training_Input missing" in message
    assert "docs/datasets.md" in message


def test_an_empty_image_folder_is_named(tmp_path):
    entry = write_isic(tmp_path)
    for image in (tmp_path / "ISIC_2019_Training_Input").iterdir():
        image.unlink()
    message = check_message(entry)
    assert "ISIC_9000001.jpg does not exist, nor does any other of 5 images" in message
    assert "correct `root`" in message


def test_a_row_marked_unknown_is_refused(tmp_path):
    message = message_of(write_isic(tmp_path, unk="1.0"))
    assert f"{TRUTH}: 5 rows with UNK other than 0, the first is 'ISIC_9000001'" in message


def test_an_image_without_metadata_is_refused(tmp_path):
    entry = write_isic(tmp_path)
    lines = (tmp_path / METADATA).read_text().splitlines()
    (tmp_path / METADATA).write_text("\n".join(line for line in lines if "9000003" not in line))
    assert f"{METADATA}: 1 row of {TRUTH} without a partner here, the first is 'ISIC_9000003'" in message_of(entry)


@pytest.mark.parametrize(("old", "new", "expected"), [
    ("VASC", "VASCULAR", "missing ['VASC'], unknown ['VASCULAR']"),
    ("UNK", "NV2", "missing none, unknown ['NV2']"),
])  # fmt: skip
def test_another_class_list_is_refused(tmp_path, old, new, expected):
    entry = write_isic(tmp_path)
    text = (tmp_path / TRUTH).read_text()
    (tmp_path / TRUTH).write_text(text.replace(old, new, 1))
    message = message_of(entry)
    assert expected in message
    assert "`format: table`" in message


def test_two_positive_labels_are_refused(tmp_path):
    entry = write_isic(tmp_path)
    text = (tmp_path / TRUTH).read_text()
    (tmp_path / TRUTH).write_text(text.replace("ISIC_9000003,0.0", "ISIC_9000003,1.0"))
    assert "1 row without exactly one positive label; the first is 'ISIC_9000003' with ['MEL', 'NV']" in message_of(
        entry
    )
