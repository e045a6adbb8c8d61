"""Packing a dataset: what is in each file, that rows stay aligned, and what happens to images that cannot be read."""

import hashlib
import json
import threading

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from learnability.datasets import prepare as prepare_module
from learnability.datasets.folds import make_folds
from learnability.datasets.prepare import fit, prepare_dataset
from learnability.datasets.published_counts import compare_counts
from learnability.datasets.source import open_source
from learnability.errors import InputError
from learnability.storage.arrays import area_average, open_packed, packed_digest
from learnability.storage.contracts import read_samples

FILES = ["dataset.json", "images.npy", "images_small.npy", "samples.parquet"]


def picture(number, size=(40, 24)):
    """A smooth colour picture (width, height) that is different for each number."""
    width, height = size
    across, down = np.meshgrid(np.linspace(0, 60, width), np.linspace(0, 60, height))
    pixels = np.stack([across + number, down + number, across + down], axis=2)
    return Image.fromarray(pixels.astype(np.uint8))


def write_download(root, labels="aabbabcabc", suffix="png"):
    """A CSV and one picture per row; row i is sample x<i> of class labels[i], in group g<i // 2>."""
    rows = [f"x{i},{label},g{i // 2}\n" for i, label in enumerate(labels)]
    root.mkdir(exist_ok=True)
    (root / "labels.csv").write_text("id,label,group\n" + "".join(rows))
    for i in range(len(labels)):
        picture(10 * i).save(root / f"x{i}.{suffix}")
    return root


def entry_for(root, **changes):
    table = {"table": "labels.csv", "image_column": "id", "image_path": "{id}.png", "label_column": "label"}
    defaults = {"channels": 3, "resize": "squash", "rare_classes": "error", "max_bad_images": 0, "deduplicate": False}
    return {"format": "table", "root": str(root), "group_column": "group"} | table | defaults | changes


def prepare(folder, entry, threads=2, sizes=(32, 16), n_splits=3):
    prepare_dataset("invented", entry, *sizes, n_splits=n_splits, folder=folder, threads=threads)
    card = json.loads((folder / "dataset.json").read_text())
    return open_packed(folder / "images.npy"), read_samples(folder / "samples.parquet"), card


@pytest.fixture(scope="module")
def download(tmp_path_factory):
    return write_download(tmp_path_factory.mktemp("download"))


@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_packed_in_the_order_of_the_samples(download, tmp_path, channels):
    images, samples, card = prepare(tmp_path, entry_for(download, channels=channels))
    assert images.shape == (10, 32, 32, channels)
    assert images.dtype == np.uint8
    assert samples["sample_id"].tolist() == [f"x{i}" for i in range(10)]
    assert card["channels"] == channels
    for i in range(10):
        alone = picture(10 * i).convert("RGB" if channels == 3 else "L").resize((32, 32), Image.Resampling.BICUBIC)
        assert np.array_equal(images[i], np.asarray(alone).reshape(32, 32, channels))


@pytest.mark.parametrize("channels", [1, 3])
def test_small_images_are_the_area_average_with_grey_repeated(download, tmp_path, channels):
    images, _, _ = prepare(tmp_path, entry_for(download, channels=channels))
    small = open_packed(tmp_path / "images_small.npy")
    assert small.shape == (10, 16, 16, 3)
    assert np.array_equal(small, np.broadcast_to(area_average(images, 16), small.shape))
    by_hand = (images.reshape(10, 16, 2, 16, 2, channels).mean(axis=(2, 4)) + 0.5).astype(np.uint8)
    assert np.array_equal(small[..., :1], by_hand[..., :1])


def test_images_are_reduced_and_digested_by_the_threads_that_read_them(download, tmp_path, monkeypatch):
    threads = set()
    for name in ("area_average", "digest_image"):
        whole = getattr(prepare_module, name)
        monkeypatch.setattr(
            prepare_module, name, lambda *given, whole=whole: threads.add(threading.current_thread()) or whole(*given)
        )
    prepare(tmp_path, entry_for(download))
    assert threads
    assert threading.main_thread() not in threads


def test_crop_takes_the_middle_square(tmp_path):
    image = np.asarray(picture(0, size=(48, 32)))
    assert np.array_equal(fit(image, 32, "crop"), image[:, 8:40])
    assert np.array_equal(fit(image.transpose(1, 0, 2), 32, "crop"), image.transpose(1, 0, 2)[8:40])


def test_pad_adds_black_on_both_sides(tmp_path):
    image = np.asarray(picture(9, size=(32, 16)))
    padded = fit(image, 32, "pad")
    assert np.array_equal(padded[8:24], image)
    assert not padded[:8].any()
    assert not padded[24:].any()


@pytest.mark.parametrize(("resize", "box"), [("squash", (0, 0, 48, 24)), ("crop", (12, 0, 36, 24)), ("pad", None)])
def test_resizing_is_bicubic(resize, box):
    image = picture(0, size=(48, 24))
    square = Image.new("RGB", (48, 48))
    square.paste(image, (0, 12))
    expected = (image.crop(box) if box else square).resize((16, 16), Image.Resampling.BICUBIC)
    assert np.array_equal(fit(np.asarray(image), 16, resize), np.asarray(expected))


def test_an_image_of_the_right_size_is_not_touched():
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 1), dtype=np.uint8)
    assert all(np.array_equal(fit(image, 16, resize), image) for resize in ("squash", "crop", "pad"))


def test_labels_are_indices_into_the_classes_of_the_card(download, tmp_path):
    _, samples, card = prepare(tmp_path, entry_for(download, classes=["c", "a", "b"]))
    assert card["classes"] == ["c", "a", "b"]
    assert samples["label"].dtype == np.int64
    assert (
        [card["classes"][label] for label in samples["label"]] == samples["label_name"].tolist() == list("aabbabcabc")
    )


def test_the_card_counts_what_was_packed(download, tmp_path):
    _, _, card = prepare(tmp_path, entry_for(download))
    assert card["counts"] == {"a": 4, "b": 4, "c": 2}
    assert card["imbalance_ratio"] == 2.0
    assert (card["images"], card["groups"], card["bad_images"]) == (10, 5, 0)
    assert (card["grouped"], card["grouped_by"]) == (True, "group")
    assert (card["image_size"], card["classifier_size"], card["synthetic"]) == (32, 16, False)
    assert (card["dataset"], card["positive"]) == ("invented", None)
    assert (
        card["provenance"]["tables"]["labels.csv"] == hashlib.sha256((download / "labels.csv").read_bytes()).hexdigest()
    )


@pytest.mark.parametrize("n_splits", [3, 5, None])
def test_the_card_has_the_largest_group_and_leaves_its_judgement_to_the_folds(tmp_path, n_splits):
    root = write_download(tmp_path / "in", "aabbaabb")  # four groups of two images
    _, _, card = prepare(tmp_path / "out", entry_for(root, positive="a"), n_splits=n_splits)
    assert card["largest_group"] == {"images": 2, "share": 0.25, "most_folds": 4}
    assert card["warnings"] == []


def test_a_phantom_says_that_it_is_synthetic(tmp_path):
    phantom = {"format": "phantom", "modality": "echo", "groups": {"normal": 4, "defect": 3}, "positive": "defect"}
    shape = {"images_per_group": [1, 2], "size": 32, "seed": 0}
    defaults = {"resize": "squash", "rare_classes": "error", "max_bad_images": 0, "deduplicate": False}
    _, _, card = prepare(tmp_path, phantom | shape | defaults)
    assert card["synthetic"] is card["grouped"] is True
    assert card["positive"] == "defect"


@pytest.mark.parametrize(("labels", "changes", "message"), [
    ("aabb", {}, r"datasets\.invented\.positive is None; name the positive one of \['a', 'b'\]"),
    ("aabb", {"positive": "c"}, "positive is 'c'"),
    ("aabbcc", {"positive": "c"}, "positive is 'c'; it is for two classes, and there are 3: take it out"),
    ("aaaa", {}, "only one class"),
    ("aabb", {"classes": ["a", "b", "c"]}, r"no image of class\(es\) 'c'; remove them from `classes`"),
])  # fmt: skip
def test_classes_that_cannot_work_are_refused_before_an_image_is_read(tmp_path, labels, changes, message):
    root = write_download(tmp_path / "download", labels)
    (root / "x0.png").unlink()
    with pytest.raises(InputError, match=message):
        prepare(tmp_path / "out", entry_for(root, **changes))
    assert not (tmp_path / "out").exists()


def broken_download(tmp_path):
    """Ten JPEG images: x3 cut short, x6 not there."""
    root = write_download(tmp_path / "download", suffix="jpg")
    (root / "x3.jpg").write_bytes((root / "x3.jpg").read_bytes()[:-200])
    (root / "x6.jpg").unlink()
    return entry_for(root, image_path="{id}.jpg")


def test_unreadable_images_are_named_and_nothing_is_packed(tmp_path):
    entry = broken_download(tmp_path) | {"max_bad_images": 1}
    with pytest.raises(InputError) as caught:
        prepare(tmp_path / "out", entry)
    assert "2 images could not be read, and max_bad_images is 1; the first is x3" in str(caught.value)
    assert str(tmp_path / "out" / "bad_images.txt") in str(caught.value)
    listed = (tmp_path / "out" / "bad_images.txt").read_text().splitlines()
    assert [line.split("\t")[0] for line in listed] == ["x3", "x6"]
    assert "truncated" in listed[0].lower()
    assert "x6.jpg" in listed[1]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["bad_images.txt"]


def test_allowed_bad_images_are_left_out_and_rows_stay_aligned(tmp_path):
    entry = broken_download(tmp_path) | {"max_bad_images": 2}
    images, samples, card = prepare(tmp_path / "out", entry)
    rest = [0, 1, 2, 4, 5, 7, 8, 9]
    assert samples["sample_id"].tolist() == [f"x{i}" for i in rest]
    assert samples["label_name"].tolist() == ["aabbabcabc"[i] for i in rest]
    assert len(images) == len(open_packed(tmp_path / "out/images_small.npy")) == card["images"] == 8
    assert (card["bad_images"], sum(card["counts"].values())) == (2, 8)
    source = open_source(entry)
    assert all(np.array_equal(images[row], fit(source.read(i), 32, "squash")) for row, i in enumerate(rest))
    assert (tmp_path / "out/bad_images.txt").is_file()


def test_a_list_of_bad_images_does_not_outlive_their_repair(tmp_path):
    entry = broken_download(tmp_path) | {"max_bad_images": 2}
    prepare(tmp_path / "out", entry)
    for i in (3, 6):
        picture(i).save(tmp_path / f"download/x{i}.jpg")
    prepare(tmp_path / "out", entry)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == FILES


def test_a_class_that_loses_all_its_images_stops_the_job(tmp_path):
    entry = broken_download(tmp_path) | {"max_bad_images": 3}
    (tmp_path / "download/x9.jpg").write_bytes(b"")  # x6 and x9 are all of class c
    with pytest.raises(InputError, match=r"no image of class\(es\) 'c'"):
        prepare(tmp_path / "out", entry)
    assert not (tmp_path / "out/images.npy").exists()


@pytest.mark.parametrize(("dtype", "suffix"), [("uint16", "png"), ("int32", "tiff"), ("float32", "tiff")])
def test_more_than_eight_bits_a_channel_are_refused(tmp_path, dtype, suffix):
    root = write_download(tmp_path / "download")
    Image.fromarray(np.zeros((8, 8), dtype)).save(root / f"deep.{suffix}")
    (root / f"deep.{suffix}").rename(root / "x0.png")  # formats are told by their content
    with pytest.raises(InputError, match=r"the first is x0\t.*expected 8 bits a channel"):
        prepare(tmp_path / "out", entry_for(root))


def some_in_colour(root):
    """Ten pictures saved as RGB; x1, x4 and x9 have colour, x9 in only one pixel."""
    write_download(root)
    for i in range(10):
        pixels = np.repeat(np.asarray(picture(10 * i).convert("L"))[..., None], 3, axis=2)
        if i in (1, 4):
            pixels[5:, 7:, 1] //= 2
        elif i == 9:
            pixels[13, 21, 2] ^= 1
        Image.fromarray(pixels).save(root / f"x{i}.png")
    return root


@pytest.mark.parametrize("channels", [1, 3])
def test_the_card_counts_the_images_with_colour(tmp_path, channels, capsys):
    entry = entry_for(some_in_colour(tmp_path / "download"), channels=channels)
    _, _, card = prepare(tmp_path / "out", entry)
    assert card["images_with_colour"] == 3
    said = "images with colour, which `channels: 1` made grey: 3 of 10" in capsys.readouterr().out
    assert said == (channels == 1)


def test_the_card_counts_colour_of_the_images_that_are_packed(tmp_path):
    """x9 is not counted, because its class is rare and left out."""
    entry = entry_for(some_in_colour(tmp_path / "download"), channels=1, rare_classes="drop", positive="a")
    _, samples, card = prepare(tmp_path / "out", entry)
    assert "x9" not in set(samples["sample_id"])
    assert card["images_with_colour"] == 2


def test_an_image_of_absurd_size_is_a_bad_image_like_any_other(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    root = write_download(tmp_path / "download")
    with pytest.raises(InputError, match=r"10 images could not be read.*DecompressionBombError"):
        prepare(tmp_path / "out", entry_for(root))


def test_the_number_of_threads_does_not_change_a_byte(download, tmp_path):
    for threads in (1, 4):
        prepare(tmp_path / str(threads), entry_for(download), threads=threads)
    for name in FILES:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "4" / name).read_bytes(), name


def test_blocks_do_not_show_in_the_result(download, tmp_path, monkeypatch):
    whole, _, card = prepare(tmp_path / "whole", entry_for(download))
    monkeypatch.setattr("learnability.datasets.prepare.BLOCK", 3)
    blocks, _, card_of_blocks = prepare(tmp_path / "blocks", entry_for(download))
    assert np.array_equal(whole, blocks)
    assert card == card_of_blocks


def test_rare_classes_are_dropped_with_their_images(download, tmp_path, capsys):
    images, samples, card = prepare(tmp_path, entry_for(download, rare_classes="drop", positive="a"))
    # c has two groups and there are three folds.
    assert card["classes"] == ["a", "b"]
    assert card["provenance"]["classes_dropped"] == {"c": 2}
    assert set(samples["label_name"]) == {"a", "b"}
    kept = [i for i, label in enumerate("aabbabcabc") if label != "c"]
    assert samples["sample_id"].tolist() == [f"x{i}" for i in kept]
    source = open_source(entry_for(download))
    assert all(np.array_equal(images[row], fit(source.read(i), 32, "squash")) for row, i in enumerate(kept))
    assert "classes dropped" in capsys.readouterr().out


def test_a_positive_one_of_three_classes_none_of_which_is_dropped(tmp_path):
    entry = entry_for(write_download(tmp_path / "download", "abc" * 3), rare_classes="drop", positive="a")
    with pytest.raises(InputError, match="positive is 'a'; it is for two classes, and there are 3: take it out"):
        prepare(tmp_path / "out", entry)


def download_with_broken(root, labels, broken, equal=()):
    """One image per group; `broken` are empty files, and `equal` pairs are one picture."""
    root = write_download(root, labels)
    rows = "".join(f"x{i},{label},g{i}\n" for i, label in enumerate(labels))
    (root / "labels.csv").write_text("id,label,group\n" + rows)
    for one, other in equal:
        (root / f"x{other}.png").write_bytes((root / f"x{one}.png").read_bytes())
    for i in broken:
        (root / f"x{i}.png").write_bytes(b"")
    return root


def test_a_class_that_became_rare_because_a_file_cannot_be_read_is_dropped_too(tmp_path):
    labels = "abcabcabcabcd"  # d is rare as it stands, c has four groups
    root = download_with_broken(tmp_path / "in", labels, broken=[2, 5])
    entry = entry_for(root, rare_classes="drop", positive="a", max_bad_images=2)
    images, samples, card = prepare(tmp_path / "out", entry)
    kept = [i for i, label in enumerate(labels) if label in "ab"]
    assert samples["sample_id"].tolist() == [f"x{i}" for i in kept]
    assert (card["classes"], card["counts"], card["bad_images"]) == (["a", "b"], {"a": 4, "b": 4}, 2)
    assert card["provenance"]["classes_dropped"] == {"d": 1, "c": 2}
    for i, image in zip(kept, images, strict=True):
        assert np.array_equal(image, fit(np.asarray(picture(10 * i)), 32, "squash"))
    small = open_packed(tmp_path / "out/images_small.npy")
    assert np.array_equal(small, area_average(images, 16))
    assert card["digest"] == packed_digest(tmp_path / "out/images.npy")
    assert card["digest_small"] == packed_digest(tmp_path / "out/images_small.npy")
    make_folds(samples, 3, 0, "drop", "invented")


def test_a_class_that_became_rare_because_groups_are_one_now_is_dropped_too(tmp_path):
    root = download_with_broken(tmp_path / "in", "abcabcabcaabb", broken=[], equal=[(2, 5), (0, 3), (11, 12)])
    entry = entry_for(root, rare_classes="drop", positive="a", deduplicate=True)
    _, samples, card = prepare(tmp_path / "out", entry)
    assert card["provenance"]["classes_dropped"] == {"c": 2}
    assert card["duplicates"] == {"images": 4, "across_groups": 4, "with_conflicting_labels": 0, "groups_merged": 2}
    assert set(samples["label_name"]) == {"a", "b"}
    assert samples["group"].nunique() == card["groups"] == 8


@pytest.mark.parametrize("rare_classes", ["error", "keep"])
def test_without_drop_a_class_that_became_rare_stays_for_the_folds_to_judge(tmp_path, rare_classes):
    root = download_with_broken(tmp_path / "in", "abcabcabcabc", broken=[2, 5])
    entry = entry_for(root, rare_classes=rare_classes, max_bad_images=2)
    _, samples, card = prepare(tmp_path / "out", entry, n_splits=None)
    assert card["counts"] == {"a": 4, "b": 4, "c": 2}
    if rare_classes == "error":
        with pytest.raises(InputError, match=r"fewer groups than the 3 folds in class\(es\) c \(2\)"):
            make_folds(samples, 3, 0, rare_classes, "invented")
    else:
        assert len(make_folds(samples, 3, 0, rare_classes, "invented")) == 10


def test_a_class_without_images_is_dropped_with_the_rare_ones(download, tmp_path):
    entry = entry_for(download, rare_classes="drop", positive="a", classes=["a", "b", "c", "d"])
    _, _, card = prepare(tmp_path, entry)
    assert card["classes"] == ["a", "b"]
    assert card["provenance"]["classes_dropped"] == {"c": 2, "d": 0}


def test_counts_are_said_beside_the_published_ones(download, tmp_path, capsys, monkeypatch):
    opened = open_source(entry_for(download))
    opened.published = compare_counts("the invented paper", {"a": 4, "b": 9}, {"a": 4, "b": 4, "c": 2})
    monkeypatch.setattr("learnability.datasets.prepare.open_source", lambda entry, threads: opened)
    _, _, card = prepare(tmp_path, entry_for(download))
    assert card["published"]["counts"] == {"a": 4, "b": 9}
    assert card["published"]["differences"] == {"b": {"published": 9, "found": 4}}
    assert "counts differ from the published ones (the invented paper): b 4 instead of 9" in capsys.readouterr().out


def test_no_job_reads_on_when_the_root_holds_no_image(tmp_path):
    entry = entry_for(write_download(tmp_path / "download"), image_path="png/{id}.png", max_bad_images=100)
    with pytest.raises(InputError, match=r"png/x0\.png does not exist, nor does any other of 10 images"):
        prepare(tmp_path / "out", entry)
    assert not (tmp_path / "out").exists()


def test_digests_follow_the_pixels(download, tmp_path):
    _, _, card = prepare(tmp_path / "first", entry_for(download))
    _, _, cropped = prepare(tmp_path / "second", entry_for(download, resize="crop"))
    assert card["digest"] != cropped["digest"]
    assert card["digest_small"] != cropped["digest_small"]
    assert pd.Series([card["digest"], card["digest_small"]]).str.fullmatch("[0-9a-f]{64}").all()
