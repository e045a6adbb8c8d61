"""What packing, folding or training would refuse in a dataset is said beforehand, from its tables and some files."""

from pathlib import Path

import pytest
from PIL import Image

from learnability.commands.missing_data import check_dataset
from learnability.datasets import sample
from learnability.datasets.formats.files import read_image
from learnability.datasets.sample import look_at
from learnability.datasets.source import open_source
from learnability.errors import InputError
from tests.unit.test_readiness import PHANTOM


def clinic(root, labels: list[str], **changes) -> dict:
    """A table of small images, each of a patient of its own, and its entry."""
    root.mkdir()
    rows = [f"x{i},{label},p{i}\n" for i, label in enumerate(labels)]
    (root / "labels.csv").write_text("id,dx,patient\n" + "".join(rows))
    for i in range(len(labels)):
        Image.new("L", (4, 4), i % 256).save(root / f"x{i}.png")
    return {
        "label": "Clinic", "format": "table", "root": str(root), "table": "labels.csv", "image_column": "id",
        "image_path": "{id}.png", "label_column": "dx", "group_column": "patient", "rare_classes": "error",
        "max_bad_images": 0, "deduplicate": False, "resize": "squash",
    } | changes  # fmt: skip


def refused(entry: dict, n_splits: int = 5, folds: tuple = (0, 1, 2, 3, 4)) -> str:
    """What is said before the start; "" if nothing is."""
    config = {"datasets": {"mine": entry}, "study": {"n_splits": n_splits, "folds": [*folds]}, "seed": 0}
    return "".join(check_dataset(config, {"dataset": "mine"}))


def test_a_sound_table_is_not_refused(tmp_path):
    assert refused(clinic(tmp_path / "a", ["a", "b"] * 40, positive="a")) == ""


@pytest.mark.parametrize("name", ["label", "split", "sample_id"])
def test_a_class_that_is_called_as_a_column_of_the_predictions(tmp_path, name):
    message = refused(clinic(tmp_path / "a", ["a", name] * 10, positive="a"))
    assert message.startswith(f"datasets.mine: a class is called {name!r}, as a column of every predictions.parquet")


@pytest.mark.parametrize(("positive", "changes"), [("a", {}), ("d", {}), ("d", {"rare_classes": "drop"})])
def test_a_positive_one_of_three_classes(tmp_path, positive, changes):
    labels = ["a", "b", "c"] * 8 + (["d"] if changes else [])
    message = refused(clinic(tmp_path / "a", labels, positive=positive, **changes))
    assert message == f"datasets.mine.positive is {positive!r}; it is for two classes, and there are 3: take it out"


def test_a_positive_one_of_three_classes_of_which_images_may_still_drop_one(tmp_path):
    assert refused(clinic(tmp_path / "a", ["a", "b", "c"] * 8, positive="a", rare_classes="drop")) == ""


def test_a_positive_one_of_the_two_classes_that_are_left(tmp_path):
    entry = clinic(tmp_path / "a", ["a", "b"] * 8 + ["c"], rare_classes="drop")
    assert refused(entry | {"positive": "a"}) == ""
    assert refused(entry | {"positive": "c"}) == "datasets.mine.positive is 'c'; name the positive one of ['a', 'b']"


def test_files_that_are_missing_are_counted_wherever_they_are(tmp_path):
    """Few of a thousand are missing, so a sample would hardly meet one."""
    entry = clinic(tmp_path / "a", ["a", "b"] * 500, positive="a", max_bad_images=2)
    for i in (3, 500):
        (tmp_path / f"a/x{i}.png").unlink()
    assert refused(entry) == ""
    (tmp_path / "a/x777.png").write_bytes(b"")
    message = refused(entry)
    assert message.startswith("datasets.mine: 3 images cannot be read, and max_bad_images is 2; the first is x3: ")
    assert "Files looked for: 1000" in message
    assert refused(entry | {"max_bad_images": 3}) == ""


@pytest.mark.parametrize("broken", [0, 199])
def test_the_first_and_the_last_file_are_read(tmp_path, broken):
    entry = clinic(tmp_path / "a", ["a", "b"] * 100, positive="a")
    (tmp_path / f"a/x{broken}.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    assert f"the first is x{broken}: " in refused(entry)


def test_classes_that_become_rare_without_the_files_that_may_be_missing(tmp_path):
    entry = clinic(tmp_path / "a", ["a", "b"] * 30 + ["c"] * 6, max_bad_images=5)
    assert refused(entry) == ""
    for i in (60, 61):
        (tmp_path / f"a/x{i}.png").unlink()
    message = refused(entry)
    assert message.startswith(
        "datasets.mine: without the images that cannot be read (2 images cannot be read, and max_bad_images is 5"
    )
    assert "fewer groups than the 5 folds in class(es) c (4)" in message


def test_a_folder_that_may_not_be_entered_counts_as_bad(tmp_path, monkeypatch):
    def refuse(path, **_):
        raise PermissionError(13, "Permission denied")

    source = open_source(clinic(tmp_path / "a", ["a", "b"]))
    monkeypatch.setattr(Path, "stat", refuse)  # as Python 3.11 has it, also for is_file
    look = look_at(source)
    assert (len(look.bad), look.looked_for) == (2, 2)
    assert look.bad[0].endswith("x0.png cannot be read: Permission denied")


def test_a_look_ends_in_time(tmp_path, monkeypatch):
    source = open_source(clinic(tmp_path / "a", ["a", "b"] * 40))
    monkeypatch.setattr(sample, "SECONDS", -1.0)
    look = look_at(source)
    assert (look.looked_for, look.read) == (0, 1)


@pytest.mark.parametrize(
    ("groups", "n_splits", "folds", "expected"),
    [
        ({"normal": 12, "defect": 1}, 5, (0, 1, 2, 3, 4), "there is no AUC"),
        ({"normal": 1, "defect": 1}, 5, (0,), "Lower study.n_splits"),
        ({"normal": 12, "defect": 6}, 5, (0, 1, 2, 3, 4), ""),
    ],
)
def test_rare_classes_that_are_kept_still_leave_a_fold_something_to_learn(groups, n_splits, folds, expected):
    """They may be kept. But a fold whose test rows are of one class has no score, and would train in vain."""
    entry = PHANTOM | {"groups": groups, "rare_classes": "keep", "max_bad_images": 0, "images_per_group": [1, 1]}
    message = refused(entry, n_splits, folds)
    assert expected in message
    assert bool(message) == bool(expected)


def test_a_damaged_image_is_one_that_cannot_be_read_whatever_its_library_raises(tmp_path, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("decoding failed")

    Image.new("RGB", (32, 32)).save(tmp_path / "x.png")
    with monkeypatch.context() as loading:
        loading.setattr("PIL.PngImagePlugin.PngImageFile.load", broken)
        with pytest.raises(OSError, match=r"x\.png: broken \(decoding failed\)"):
            read_image(tmp_path / "x.png", 3)
    monkeypatch.setattr(Image, "open", broken)
    with pytest.raises(OSError, match=r"x\.png: broken \(decoding failed\)"):
        read_image(tmp_path / "x.png", 3)


def test_a_damaged_avif_counts_among_the_bad_ones(tmp_path):
    entry = clinic(tmp_path / "a", ["a", "b"] * 20, positive="a", image_path="{id}.avif")
    for i in range(40):
        Image.new("RGB", (16, 16), (i, 0, 0)).save(tmp_path / f"a/x{i}.avif")
    whole = (tmp_path / "a/x0.avif").read_bytes()
    (tmp_path / "a/x0.avif").write_bytes(whole[: len(whole) - 20])
    assert "40 images cannot be read, and max_bad_images is 0" in refused(entry)  # a kind that is not read at all


def test_the_message_of_a_wrong_phantom_is_an_input_error():
    from learnability.commands.missing_data import open_checked

    config = {"datasets": {"mine": PHANTOM | {"groups": {"a": 1}}}, "study": {"n_splits": 5, "folds": [0]}, "seed": 0}
    with pytest.raises(InputError, match="phantom dataset"):
        open_checked(config, "mine")
