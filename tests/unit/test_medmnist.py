"""MedMNIST files: pooled splits, rows read one by one whether compressed or not, no patients, one finding per row."""

import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from learnability.datasets.formats import medmnist
from learnability.datasets.source import open_source
from tests.downloads import check_message, message_of

SIZES = {"train": 7, "val": 3, "test": 5}
TOTAL = sum(SIZES.values())


def arrays_of(colour=False, columns=1, dtype="uint8"):
    generator = np.random.default_rng(0)
    shape = (12, 12, 3) if colour else (12, 12)
    arrays = {}
    for split, number in SIZES.items():
        arrays[f"{split}_images"] = generator.integers(0, 256, (number, *shape)).astype(dtype)
        label = generator.integers(0, 2, (number, columns))
        label[:2, 0] = [0, 1]
        arrays[f"{split}_labels"] = label.astype("uint8")
    return arrays


def write_npz(root, save=np.savez_compressed, name="breastmnist_224.npz", **arrays):
    save(root / name, **(arrays or arrays_of()))
    return {"format": "medmnist", "root": str(root), "file": name}


def pooled(arrays, kind):
    return np.concatenate([arrays[f"{split}_{kind}"] for split in SIZES])


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("colour", [False, True])
def test_images_are_those_of_numpy(tmp_path, save, colour):
    arrays = arrays_of(colour)
    source = open_source(write_npz(tmp_path, save, **arrays))
    expected = pooled(arrays, "images").reshape(TOTAL, 12, 12, -1)
    assert source.channels == (3 if colour else 1)
    assert np.array_equal(np.stack([source.read(i) for i in range(TOTAL)]), expected)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_any_order_and_several_threads_read_the_same(tmp_path, save, monkeypatch):
    monkeypatch.setattr(medmnist, "KEPT", 2)
    arrays = arrays_of()
    source = open_source(write_npz(tmp_path, save, **arrays))
    expected = pooled(arrays, "images")
    order = np.random.default_rng(1).permutation(np.tile(np.arange(TOTAL), 4))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda i: source.read(int(i))[..., 0], order))
    assert np.array_equal(np.stack(found), expected[order])


def test_a_compressed_array_is_passed_once_when_read_in_order(tmp_path, monkeypatch):
    source = open_source(write_npz(tmp_path))
    opened = []
    original = zipfile.ZipFile.open
    monkeypatch.setattr(
        zipfile.ZipFile, "open", lambda self, name, *a, **k: opened.append(name) or original(self, name)
    )
    for i in range(TOTAL):
        source.read(i)
    assert opened == [f"{split}_images.npy" for split in SIZES]


def test_labels_get_the_names_of_the_config(tmp_path):
    arrays = arrays_of()
    named = open_source(write_npz(tmp_path, **arrays) | {"classes": ["malignant", "normal, benign"]})
    assert named.classes == ["malignant", "normal, benign"]
    expected = [named.classes[code] for code in pooled(arrays, "labels")[:, 0]]
    assert named.samples["label_name"].tolist() == expected
    assert open_source(write_npz(tmp_path, **arrays)).classes == ["0", "1"]


def test_every_image_is_its_own_group_and_the_card_says_why(tmp_path):
    source = open_source(write_npz(tmp_path))
    assert source.samples["group"].is_unique
    assert source.samples["sample_id"].iloc[7] == "breastmnist_224-val-000000"
    assert source.grouped_by.startswith("none in this file")
    assert not source.grouped


def test_counts_are_compared_with_the_published_ones_where_known(tmp_path):
    differences = open_source(write_npz(tmp_path)).published["differences"]
    assert differences["train"] == {"published": 546, "found": 7}
    assert open_source(write_npz(tmp_path, name="bloodmnist.npz")).published is None


def test_rows_of_several_labels_or_none_are_left_out_and_counted(tmp_path, capsys):
    arrays = arrays_of(columns=3)
    arrays["val_labels"][:] = 0
    arrays["test_labels"][:] = [0, 1, 0]
    source = open_source(write_npz(tmp_path, **arrays))
    labels = pooled(arrays, "labels")
    kept = np.flatnonzero(labels.sum(axis=1) == 1)
    assert 0 < len(kept) < TOTAL
    assert source.samples["label_name"].tolist() == [str(code) for code in labels[kept].argmax(axis=1)]
    assert np.array_equal(source.read(len(kept) - 1)[..., 0], arrays["test_images"][-1])
    assert source.provenance["rows_without_one_finding"] == TOTAL - len(kept)
    assert f"{TOTAL - len(kept)} of {TOTAL} rows without exactly one finding are left out" in capsys.readouterr().out


def test_nothing_left_is_refused(tmp_path):
    arrays = arrays_of(columns=3)
    for split in SIZES:
        arrays[f"{split}_labels"][:] = 1
    message = message_of(write_npz(tmp_path, **arrays))
    assert f"{TOTAL} rows, none with exactly one finding" in message


@pytest.mark.parametrize(("name", "shape", "dtype", "expected"), [
    ("val_images", (3, 12, 12, 12), "uint8", "a set of 2D images"),
    ("val_images", (3, 12, 12), "float32", "val_images.npy is float32(3, 12, 12)"),
    ("val_images", (4, 12, 12), "uint8", "for 3 labels"),
])  # fmt: skip
def test_an_array_of_another_kind_is_named(tmp_path, name, shape, dtype, expected):
    assert expected in check_message(write_npz(tmp_path, **arrays_of() | {name: np.zeros(shape, dtype)}))


@pytest.mark.parametrize(("dtype", "value"), [("float32", np.nan), ("float64", np.inf), ("float16", 0.5), ("U1", "1")])
@pytest.mark.parametrize("columns", [1, 3])
def test_labels_that_are_no_whole_numbers_are_refused(tmp_path, dtype, value, columns):
    arrays = arrays_of(columns=columns)
    arrays |= {f"{split}_labels": arrays[f"{split}_labels"].astype(dtype) for split in SIZES}
    arrays["val_labels"][1, 0] = value
    assert "that are no whole numbers; expected 0, 1, ..." in message_of(write_npz(tmp_path, **arrays))


def test_whole_numbers_may_be_stored_as_floats(tmp_path):
    arrays = arrays_of()
    plain = open_source(write_npz(tmp_path, **arrays)).samples
    arrays |= {f"{split}_labels": arrays[f"{split}_labels"].astype(float) for split in SIZES}
    assert open_source(write_npz(tmp_path, **arrays)).samples.equals(plain)


def test_several_columns_hold_nothing_but_0_and_1(tmp_path):
    arrays = arrays_of(columns=3)
    arrays["val_labels"][0] = [0, 2, 0]
    assert "labels in 3 columns with other values than 0 and 1" in message_of(write_npz(tmp_path, **arrays))


def test_a_missing_file_says_where_to_put_it(tmp_path):
    message = check_message({"format": "medmnist", "root": str(tmp_path), "file": "breastmnist_224.npz"})
    assert f"{tmp_path}/breastmnist_224.npz does not exist; download it there" in message


def test_missing_arrays_are_named(tmp_path):
    arrays = arrays_of()
    del arrays["val_images"], arrays["test_labels"]
    assert "no val_images, test_labels; expected the .npz of a MedMNIST set" in check_message(
        write_npz(tmp_path, **arrays)
    )


def test_pickled_labels_are_not_loaded(tmp_path):
    arrays = arrays_of() | {"train_labels": np.array([{"a": 1}] * 7, dtype=object)}
    assert "allow_pickle=False" in check_message(write_npz(tmp_path, **arrays))


def test_a_file_cut_short_is_named(tmp_path):
    entry = write_npz(tmp_path)
    path = tmp_path / entry["file"]
    path.write_bytes(path.read_bytes()[:-200])
    assert f"{path}: " in check_message(entry)
    assert "download it again" in check_message(entry)


def test_names_for_other_labels_are_refused(tmp_path):
    message = message_of(write_npz(tmp_path) | {"classes": ["one", "two", "three"]})
    assert "labels 0 to 1, but `classes` has 3 names" in message


@pytest.mark.parametrize("levels", [1, 3, 256])
def test_damage_is_found_by_the_check_sum(tmp_path, levels):
    """The archive names another check sum than the rows have, compressed or not."""
    images = np.random.default_rng(0).integers(0, levels, (7, 64, 64), dtype=np.uint8)
    entry = write_npz(tmp_path, **arrays_of() | {"train_images": images})
    path = tmp_path / entry["file"]
    with zipfile.ZipFile(path) as archive:
        expected = archive.getinfo("train_images.npy").CRC
    path.write_bytes(path.read_bytes().replace(expected.to_bytes(4, "little"), bytes(4)))
    source = open_source(entry)
    assert np.array_equal(source.read(1)[..., 0], images[1])
    for _ in range(2):
        with pytest.raises(OSError, match=r"breastmnist_224\.npz: Bad CRC-32.*broken from row 6 on"):
            source.read(6)


def test_rows_behind_a_broken_place_are_unreadable_and_those_before_are_not(tmp_path):
    images = np.random.default_rng(0).integers(0, 4, (7, 64, 64), dtype=np.uint8)
    entry = write_npz(tmp_path, **arrays_of() | {"train_images": images})
    path = tmp_path / entry["file"]
    with zipfile.ZipFile(path) as archive:
        place = archive.getinfo("val_images.npy").header_offset - 800
    content = bytearray(path.read_bytes())
    content[place : place + 400] = bytes(range(200)) * 2
    path.write_bytes(content)
    source = open_source(entry)
    assert np.array_equal(source.read(0)[..., 0], images[0])
    for i in (6, 6):
        with pytest.raises(OSError, match=r"breastmnist_224\.npz: .*broken from row \d on"):
            source.read(i)
    assert np.array_equal(source.read(1)[..., 0], images[1])


def test_the_provenance_follows_the_content(tmp_path):
    first = open_source(write_npz(tmp_path)).provenance["files"]
    changed = arrays_of()
    changed["test_images"][0, 0, 0] ^= 1
    assert open_source(write_npz(tmp_path, **changed)).provenance["files"] != first
