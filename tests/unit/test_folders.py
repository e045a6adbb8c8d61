"""A folder per class: which folders are classes, which files are images, and what a user is told about the rest."""

import os

import pytest

from learnability.commands.check import examine_dataset
from learnability.datasets.classes import check_labels
from learnability.datasets.prepare import prepare_dataset
from learnability.datasets.source import open_source
from learnability.storage.contracts import read_json
from tests.downloads import message_of, save_image, values

TREE = ("benign/a.png", "benign/b.JPG", "malignant/a.png")


def entry_for(root, names=TREE, **changes):
    """Class folders with images of value 10, 20, ..., in the order of `names`."""
    for number, name in enumerate(names, start=1):
        save_image(root / name, 10 * number)
    return {"format": "folders", "root": str(root)} | changes


def ids(source):
    return source.samples["sample_id"].tolist()


def left_out(source):
    return source.provenance.get("left_out", {})


def test_every_folder_is_a_class_and_every_path_an_id(tmp_path):
    source = open_source(entry_for(tmp_path))
    assert ids(source) == ["benign/a.png", "benign/b.JPG", "malignant/a.png"]
    assert source.samples["label_name"].tolist() == ["benign", "benign", "malignant"]
    assert source.classes == ["benign", "malignant"]
    assert values(source) == pytest.approx([10, 20, 30], abs=2)
    assert source.samples["group"].is_unique
    assert not source.grouped
    assert source.grouped_by == "no group_pattern given: every image its own group"
    assert left_out(source) == {}
    assert open_source(entry_for(tmp_path, (), classes=["malignant", "benign"])).classes == ["malignant", "benign"]


@pytest.mark.parametrize("parts", [("train", "test"), ("Training", "Testing", "val")])
def test_parts_for_training_and_test_are_taken_together(tmp_path, parts):
    source = open_source(entry_for(tmp_path, [f"{part}/{name}" for part in parts for name in TREE]))
    assert source.classes == ["benign", "malignant"]
    assert len(source.samples) == 3 * len(parts)
    assert source.samples["sample_id"].is_unique  # the same names lie in each part


def test_parts_of_other_names_are_named_in_the_entry(tmp_path):
    names = [f"{site}/{name}" for site in ("site a", "site b") for name in TREE]
    entry = entry_for(tmp_path, names)
    message = message_of(entry)
    assert "site a holds 2 folder(s), the first is 'site a/benign'" in message
    assert "`splits`" in message
    assert open_source(entry | {"splits": ["site a", "site b"]}).classes == ["benign", "malignant"]
    assert "splits ['site c'] are no folders there; there are ['site a', 'site b']" in message_of(
        entry | {"splits": ["site c"]}
    )
    assert "['site b'] beside the `splits`" in message_of(entry | {"splits": ["site a"]})
    source = open_source(entry | {"splits": ["site a"], "exclude": ["site b"]})
    assert len(source.samples) == 3
    assert left_out(source) == {"exclude: site b": 1}


def test_a_part_beside_a_class_is_refused_until_one_says_which_is_meant(tmp_path):
    entry = entry_for(tmp_path, ("test/a.png", "control/a.png"))
    message = message_of(entry)
    assert "'test', which reads like a part for training or test, beside 'control'" in message
    assert open_source(entry | {"splits": []}).classes == ["control", "test"]


def test_parts_without_classes_are_refused_until_they_are_the_classes(tmp_path):
    entry = entry_for(tmp_path, ("test/a.png", "train/a.png"))
    assert "test holds 1 image and no folder" in message_of(entry)
    assert open_source(entry | {"splits": []}).classes == ["test", "train"]


def test_folders_within_a_class_are_its_images_where_the_entry_says_so(tmp_path):
    names = ("benign/p1/a.png", "benign/p1/b.png", "benign/p2/left/a.png", "malignant/p3/a.png", "malignant/x.png")
    entry = entry_for(tmp_path, names)
    assert "benign holds 2 folder(s), the first is 'benign/p1'" in message_of(entry)
    source = open_source(entry | {"subfolders": True, "group_pattern": "/(p[0-9]+)/", "missing_groups": [""]})
    assert source.samples["label_name"].tolist() == ["benign"] * 3 + ["malignant"] * 2
    group = dict(zip(ids(source), source.samples["group"], strict=True))
    assert group["benign/p1/a.png"] == group["benign/p1/b.png"] == "p1"
    assert (group["benign/p2/left/a.png"], group["malignant/p3/a.png"]) == ("p2", "p3")
    assert group["malignant/x.png"] == "image:malignant/x.png"
    assert source.grouped
    assert source.names["missing_groups"] == {"": 1}


@pytest.mark.parametrize("mask", ["benign/a_mask.png", "benign/A_Mask_1.png", "benign/a-seg.png", "benign/masks/a.png"])
def test_masks_of_images_are_refused_until_one_says_what_they_are(tmp_path, mask):
    entry = entry_for(tmp_path, (*TREE, mask), subfolders=True)
    message = message_of(entry)
    assert f"1 file named like masks of other images, the first is {mask!r}" in message
    pattern = message.partition('["')[2].partition('"]')[0]
    source = open_source(entry | {"exclude": [pattern]})
    assert sorted(ids(source)) == sorted(TREE)
    assert left_out(source) == {f"exclude: {pattern}": 1}
    assert len(open_source(entry | {"include": ["*"]}).samples) == 4


def test_a_class_called_mask_is_one(tmp_path):
    names = ("train/mask/a.png", "train/no mask/a.png", "train/mask/b_mask.png")
    assert open_source(entry_for(tmp_path, names)).classes == ["mask", "no mask"]


def test_what_is_left_out_is_counted_and_said(tmp_path, capsys):
    entry = entry_for(tmp_path, (*TREE, "benign/c_copy.png", "benign/.hidden.png", "stray.png", "__MACOSX/x/._a.png"))
    for name in ("benign/Thumbs.db", "readme.txt", ".DS_Store"):
        (tmp_path / name).write_text("no image")
    source = open_source(entry | {"exclude": ["*_COPY*"], "include": ["*.png"]})
    assert ids(source) == ["benign/a.png", "malignant/a.png"]
    counts = {"exclude: *_COPY*": 1, "no suffix of an image": 2, "not in `include`": 1}
    assert left_out(source) == counts | {"beside the folders of the classes": 1}
    defaults = {"resize": "squash", "max_bad_images": 0, "rare_classes": "keep", "deduplicate": False}
    entry |= {"exclude": ["*_COPY*"], "positive": "malignant", "label": "Mine"} | defaults
    config = {"datasets": {"mine": entry}, "study": {"n_splits": 2, "folds": []}, "seed": 0}
    lines = examine_dataset(config, "mine", sizes := {})
    assert sizes == {"mine": 3}
    (said,) = [line.text for line in lines if line.text.startswith("left out: ")]
    for part in ("2 (no suffix of an image)", "1 (exclude: *_COPY*)", "1 (beside the folders of the classes)"):
        assert part in said
    prepare_dataset("mine", entry, 16, 8, 3, tmp_path / "out", threads=1)
    assert "mine: left out: " in capsys.readouterr().out
    assert read_json(tmp_path / "out/dataset.json")["provenance"]["left_out"]["no suffix of an image"] == 2


def test_a_pattern_that_leaves_nothing_out_is_refused(tmp_path):
    assert "exclude '*_msak*' meets no file or folder" in message_of(entry_for(tmp_path, exclude=["*_msak*"]))


def test_a_pattern_with_a_slash_is_of_the_whole_path(tmp_path):
    assert ids(open_source(entry_for(tmp_path, exclude=["benign/a*"]))) == ["benign/b.JPG", "malignant/a.png"]
    assert open_source(entry_for(tmp_path, exclude=["benign"])).classes == ["malignant"]


def test_a_class_folder_without_images_is_named(tmp_path):
    entry = entry_for(tmp_path)
    (tmp_path / "normal").mkdir()
    message = message_of(entry)
    assert "no image in the folder(s) of ['normal'], and every folder is a class" in message
    assert open_source(entry | {"exclude": ["normal"]}).classes == ["benign", "malignant"]
    assert "normal" in open_source(entry | {"rare_classes": "drop"}).classes  # it is dropped later, with a message


def test_a_single_class_is_refused(tmp_path):
    entry = entry_for(tmp_path, ("benign/a.png",)) | {"rare_classes": "keep"}
    assert "only one class, ['benign']" in message_of(
        entry, lambda entry: check_labels("mine", entry, open_source(entry), 3, 0)
    )


def test_a_root_without_class_folders_is_named(tmp_path):
    assert "holds no folder; expected a folder per class" in message_of({"format": "folders", "root": str(tmp_path)})
    assert "holds 1 image, but no folder" in message_of(entry_for(tmp_path, ("a.png",)))


def test_a_root_one_folder_too_high_is_named(tmp_path):
    message = message_of(entry_for(tmp_path, [f"Dataset/{name}" for name in TREE]))
    assert "Dataset holds 2 folder(s)" in message
    assert "point `root` at their folder" in message


def test_links_are_followed_and_a_circle_is_refused(tmp_path):
    entry = entry_for(tmp_path / "data", TREE)
    save_image(tmp_path / "elsewhere/c.png", 90)
    (tmp_path / "data/normal").symlink_to(tmp_path / "elsewhere")
    assert values(open_source(entry))[-1] == 90
    (tmp_path / "data/benign/again").symlink_to(tmp_path / "data")
    assert "benign/again is a link to a folder that it lies in" in message_of(entry | {"subfolders": True})


def test_one_name_in_two_normal_forms_is_one_class_and_one_patient(tmp_path):
    names = ("train/gutartig ü/Müller 1.png", "test/gutartig u\u0308/Mu\u0308ller 2.png", "test/bösartig/x 3.png")
    source = open_source(entry_for(tmp_path, names, group_pattern="([A-Za-zü]+) [0-9]"))
    assert source.classes == ["bösartig", "gutartig ü"]
    groups = dict(zip(source.samples["label_name"], source.samples["group"], strict=True))
    assert groups["gutartig ü"] == "Müller"
    assert source.samples["group"].nunique() == 2


def test_blanks_around_the_name_of_a_class_are_taken_off(tmp_path):
    source = open_source(entry_for(tmp_path, ("benign /a.png", "malignant/b.png")))
    assert source.classes == ["benign", "malignant"]
    assert source.names["stripped"]["label_name"] == 1
    assert values(source) == [10, 20]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("patient[0-9]+", ["finds nothing in 3 of 3 paths, the first is 'benign/a.png'; correct it or take it out"]),
        ("[ab][.](png)", ["finds nothing in 1 of 3 paths, the first is 'benign/b.JPG'", '`missing_groups: [""]`']),
        ("(a", ["group_pattern '(a'", "expected a regular expression"]),
        ("(a)|(b)", ["has 2 pairs of parentheses", "(?:...)"]),
    ],
)
def test_a_group_pattern_that_does_not_fit_the_paths_is_named(tmp_path, pattern, expected):
    message = message_of(entry_for(tmp_path, group_pattern=pattern))
    assert [part for part in expected if part not in message] == [], message
    if "3 of 3" not in message:
        return
    assert "finds nothing" in message_of(entry_for(tmp_path, group_pattern=pattern, missing_groups=[""]))


def test_a_group_that_stands_for_no_patient_is_refused(tmp_path):
    names = ("benign/NA_1.png", "benign/p1_1.png", "malignant/p2_1.png")
    assert "'NA' (1 row) as group" in message_of(entry_for(tmp_path, names, group_pattern="/([^/]+)_"))


def test_a_label_that_is_not_among_the_classes_is_refused(tmp_path):
    assert "labels 'malignant' are not among" in message_of(
        entry_for(tmp_path, classes=["benign", "normal"]) | {"rare_classes": "drop"}
    )


def test_a_name_that_is_no_text_is_refused(tmp_path):
    entry = entry_for(tmp_path)
    os.rename(tmp_path / "benign/a.png", os.fsencode(tmp_path) + b"/benign/\xff.png")
    assert "is not UTF-8; rename" in message_of(entry)
