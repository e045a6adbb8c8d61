"""Figure 3: which images it shows; they, their reconstructions and the differences agree with the files."""

import numpy as np
import pandas as pd
import pytest

from learnability.errors import InputError
from learnability.figures.figure3 import (
    Sample,
    amplification,
    choose_samples,
    difference,
    draw_figure3,
    read_originals,
    read_reconstructions,
)
from learnability.figures.sheet import in_lines
from learnability.storage.arrays import packed_digest
from learnability.storage.contracts import file_digest, read_json, write_json, write_parquet
from learnability.tables.labels import Labels
from tests.drawn import assert_legible, files_of, words

CARD = {"dataset": "clinic", "classes": ["rare", "common", "middle"], "counts": {"rare": 2, "common": 9, "middle": 4}}
LABEL = np.array([1, 1, 2, 0, 1, 2, 0, 1, 1, 1, 1, 2, 1, 1, 2])
FOLD = np.array([2, 0, 1, 1, 0, 0, 2, 1, 1, 2, 0, 2, 1, 0, 1])


def test_of_each_class_the_first_row_of_the_first_fold_that_tests_it():
    assert choose_samples(LABEL, FOLD, CARD, [0, 1], 3) == [
        Sample(1, "common", 0),
        Sample(5, "middle", 0),  # row 2 comes earlier, in fold 1
        Sample(3, "rare", 1),  # there is none in fold 0
    ]
    assert [sample.class_name for sample in choose_samples(LABEL, FOLD, CARD, [0, 1], 2)] == ["common", "rare"]
    assert choose_samples(LABEL, FOLD, CARD, [2, 0], 1) == [Sample(0, "common", 2)]
    assert [sample.class_name for sample in choose_samples(LABEL, FOLD, CARD, [0], 3)] == ["common", "middle"]


def test_difference_is_in_grey_levels_and_its_amplification_a_round_number():
    x, x_hat = np.array([[[0, 10, 250]]], np.uint8), np.array([[[6, 10, 238]]], np.uint8)
    assert difference(x, x_hat) == pytest.approx(np.array([[6.0]]))
    flat = [np.full((4, 4), level) for level in (4.0, 5.0, 12.0, 200.0)]
    assert amplification(flat[:3]) == 20  # three quarters of the maps: 8.5 grey levels, 30 times into 255
    assert amplification(flat[3:]) == 1
    assert amplification([np.zeros((4, 4))]) == 50


@pytest.mark.parametrize(
    ("text", "lines"), [("a b", "a b"), ("Pleural effusion", "Pleural\neffusion"), ("Pneumothorax", "Pneumoth-\norax")]
)
def test_names_are_no_wider_than_their_picture(text, lines):
    assert in_lines(text, 9) == lines


@pytest.fixture
def files(tmp_path):
    """A dataset, one encoding of all folds, a lossless control, and one of each of two folds: lists of paths."""
    rng = np.random.default_rng(0)
    ids = [f"s{i}" for i in range(len(LABEL))]
    names = [CARD["classes"][k] for k in LABEL]
    images = rng.integers(0, 256, (len(LABEL), 8, 8, 3)).astype(np.uint8)
    write_json(CARD, tmp_path / "dataset.json")
    samples = pd.DataFrame({"sample_id": ids, "label": LABEL, "label_name": names, "group": ids})
    write_parquet(samples, tmp_path / "samples.parquet")
    write_parquet(pd.DataFrame({"sample_id": ids, "fold": FOLD}), tmp_path / "folds.parquet")
    np.save(tmp_path / "images_small.npy", images)
    dataset = [
        [str(tmp_path / name)] for name in ("dataset.json", "samples.parquet", "folds.parquet", "images_small.npy")
    ]
    encodings = [[], [], []]
    for name, fold in (("sd14", None), ("unshuffle", None), ("tuned", 0), ("tuned", 1)):
        folder = tmp_path / f"{name}{fold}"
        folder.mkdir()
        noise = 0 if name == "unshuffle" else rng.integers(0, 9, images.shape)
        np.save(folder / "reconstructions.npy", np.clip(images.astype(int) + noise, 0, 255).astype(np.uint8))
        rows = range(len(ids)) if fold is None else np.flatnonzero(fold == FOLD)
        psnr = [np.inf if name == "unshuffle" else 30.0 + i / 10 + 5 * (fold or 0) for i in rows]
        fidelity = pd.DataFrame({"sample_id": [ids[i] for i in rows], "psnr": psnr, "ssim": 0.9})
        write_parquet(fidelity, folder / "fidelity.parquet")
        role = "control" if name == "unshuffle" else "family"
        write_json({"dataset": "clinic", "autoencoder": name, "role": role, "fold": fold}, folder / "autoencoder.json")
        for paths, file in zip(encodings, ("autoencoder.json", "reconstructions.npy", "fidelity.parquet"), strict=True):
            paths.append(str(folder / file))
    return dataset, encodings


LABELS = Labels(
    {"clinic": "Clinic"}, {"sd14": "SD 1.4", "tuned": "Tuned", "unshuffle": "Unshuffle"}, frozenset({"clinic"})
)


@pytest.mark.parametrize("name", ["images_small.npy", "sd14None/reconstructions.npy"])
def test_damaged_arrays_are_not_drawn(files, tmp_path, name):
    dataset, encodings = files
    array = tmp_path / name
    card, key = (
        (dataset[0][0], "digest_small") if array.parent == tmp_path else (encodings[0][0], "digest_reconstructions")
    )
    write_json(read_json(card) | {key: packed_digest(array)}, card)
    originals = read_originals(*dataset, [0, 1])
    read_reconstructions(originals, *encodings)
    content = bytearray(array.read_bytes())
    content[-1] ^= 1
    array.write_bytes(content)
    with pytest.raises(InputError, match=rf"{array.name}: damaged, not what {key} of"):
        read_reconstructions(read_originals(*dataset, [0, 1]), *encodings)


@pytest.mark.parametrize("name", ["samples.parquet", "sd14None/fidelity.parquet"])
def test_tables_that_are_not_those_of_their_cards_are_not_drawn(files, tmp_path, name):
    dataset, encodings = files
    table = tmp_path / name
    card = dataset[0][0] if table.parent == tmp_path else encodings[0][0]
    write_json(read_json(card) | {f"digest_{table.stem}": file_digest(table)}, card)
    read_reconstructions(read_originals(*dataset, [0, 1]), *encodings)
    write_parquet(pd.read_parquet(table)[::-1], table)  # sound pages, another content
    with pytest.raises(InputError, match=rf"{table.name}: damaged, not what digest_{table.stem} of"):
        read_reconstructions(read_originals(*dataset, [0, 1]), *encodings)


def test_pictures_are_those_of_the_files(files, tmp_path):
    dataset, encodings = files
    originals = read_originals(*dataset, [0, 1])
    images = np.load(dataset[3][0])
    figure = draw_figure3(originals, read_reconstructions(originals, *encodings), LABELS)
    pictures = [(axes.get_images()[0].get_array(), axes) for axes in figure.axes if axes.get_images()]
    titles = [axes.get_title() for _, axes in pictures if axes.get_title()]
    assert titles == ["common", "middle", "rare"]
    for column, row in enumerate((1, 5, 3)):
        column = pictures[7 * column : 7 * (column + 1)]
        expected = [images[row]]
        # Fine-tuned for each fold: row 3 is tested by fold 1.
        tuned = {1: 2, 5: 2, 3: 3}[row]
        for encoding in (0, tuned, 1):
            x_hat = np.load(encodings[1][encoding])[row]
            expected += [x_hat, np.abs(images[row].astype(int) - x_hat).mean(axis=2)]
        for (picture, _), wanted in zip(column, expected, strict=True):
            assert np.asarray(picture) == pytest.approx(np.asarray(wanted))
        shown = [axes.texts[0].get_text() for _, axes in column if axes.texts]
        fold = 1 if row == 3 else 0
        assert shown == [f"{30 + row / 10:.1f} dB", f"{30 + row / 10 + 5 * fold:.1f} dB", "identical"]
    limits = {axes.get_images()[0].get_clim() for picture, axes in pictures if picture.ndim == 2}
    assert limits == {(0, 255 / 20)}
    assert "Differences are amplified 20 times, on one scale for all" in words(figure)
    assert "the first one that fold 0 or 1" in words(figure)
    assert "Clinic (phantom)" in words(figure)
    assert "Unshuffle (control)" in words(figure)
    again = draw_figure3(originals, read_reconstructions(originals, *encodings), LABELS)
    assert files_of(figure, tmp_path, "a") == files_of(again, tmp_path, "b")
    assert_legible(figure)


def test_without_a_decoder_there_are_the_originals_alone(files):
    originals = read_originals(*files[0], [0, 1])
    figure = draw_figure3(originals, {}, LABELS)
    assert len(figure.axes) == 3
    assert "No autoencoder of this study can be decoded." in words(figure)
    assert_legible(figure)
