"""Recall of the classes equals scikit-learn's, is drawn in the order of frequency, and its mean is that of the runs."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import recall_score

from learnability.figures.class_recall import (
    balanced,
    class_panels,
    draw_class_recall,
    head_to_tail,
    recall_frame,
    recall_of,
)
from learnability.figures.style import SPACES
from learnability.tables.labels import Labels
from learnability.training.metrics import balanced_accuracy
from tests.drawn import assert_legible, files_of, handle_of, lines, look_of, panel, words

CLASSES = ["b", "a", "c"]
CARD = {"classes": CLASSES, "counts": {"b": 5, "a": 40, "c": 12}}
LABELS = Labels({"clinic": "Clinic"}, {"sd14": "SD 1.4", "flux2": "Flux.2", "unshuffle": "Unshuffle"})


def predictions(seed, label=None):
    drawn = np.random.default_rng(seed)
    label = drawn.integers(0, 3, 60) if label is None else np.array(label)
    frame = pd.DataFrame({"sample_id": [str(i) for i in range(len(label))], "label": label, "split": "test"})
    frame.loc[::4, "split"] = "validation"
    frame[CLASSES] = drawn.dirichlet([1, 1, 1], len(label))
    return frame


def runs_of(names, folds=(0, 1)):
    """(metrics, predictions) of every space and fold."""
    cells = [("original", "image"), *((name, space) for name in names for space in ("latent", "reconstruction"))]
    runs = []
    for seed, (name, space, fold) in enumerate((*cell, fold) for cell in cells for fold in folds):
        role = {"original": "baseline", "unshuffle": "control"}.get(name, "family")
        run = {"dataset": "clinic", "autoencoder": name, "role": role, "space": space, "fold": fold}
        runs.append((run, predictions(seed)))
    return runs


def test_recall_is_scikit_learns_and_its_mean_is_balanced_accuracy():
    frame = predictions(0)
    test = frame[frame["split"] == "test"]
    predicted = test[CLASSES].to_numpy().argmax(axis=1)
    expected = recall_score(test["label"], predicted, average=None)
    recall = recall_of(frame, CLASSES)
    assert recall == pytest.approx(dict(zip(CLASSES, expected, strict=True)))
    assert np.mean([*recall.values()]) == pytest.approx(balanced_accuracy(test["label"].to_numpy(), predicted))


def test_a_class_without_test_images_has_no_recall():
    assert set(recall_of(predictions(0, [0, 2, 0, 2, 0, 0, 2]), CLASSES)) == {"b", "c"}


def test_classes_stand_from_head_to_tail_with_their_numbers():
    assert head_to_tail(CARD) == ["a", "c", "b"]
    figure = draw_class_recall(recall_frame(runs_of(["sd14"]), {"clinic": CARD}), {"clinic": CARD}, LABELS)
    axes = panel(figure, "Clinic")
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a (40)", "c (12)", "b (5)"]
    low, high = axes.get_ylim()
    assert low > high, "the most frequent class stands on top"
    assert "Autoencoders: SD 1.4." in words(figure)


def test_a_class_that_a_test_fold_lacks_is_named():
    recall = recall_frame(runs_of(["sd14"]), {"clinic": CARD})
    assert "every fold" not in words(draw_class_recall(recall, {"clinic": CARD}, LABELS))
    some = recall[(recall["class_name"] != "b") | (recall["fold"] != 1)]
    figure = draw_class_recall(some, {"clinic": CARD}, LABELS)
    assert "Not in the test rows of every fold: b." in words(figure)
    assert_legible(figure)


def test_what_is_drawn_is_the_mean_over_folds_and_families(tmp_path):
    runs = runs_of(["sd14", "flux2", "unshuffle"])
    figure = draw_class_recall(recall_frame(runs, {"clinic": CARD}), {"clinic": CARD}, LABELS)
    axes = panel(figure, "Clinic")
    for space, mark in SPACES.items():
        (drawn,) = lines(axes, space)
        of_space = [pair for pair in runs if pair[0]["space"] == space and pair[0]["role"] != "control"]
        expected = [np.mean([recall_of(each, CLASSES)[name] for _, each in of_space]) for name in head_to_tail(CARD)]
        assert drawn[:, 0] == pytest.approx(expected)
        assert drawn[:, 1].tolist() == [0, 1, 2]
        assert look_of(handle_of(figure, space))[:2] == (mark.colour, mark.marker)
    assert "Autoencoders: SD 1.4, Flux.2." in words(figure)
    again = draw_class_recall(recall_frame(runs, {"clinic": CARD}), {"clinic": CARD}, LABELS)
    assert files_of(figure, tmp_path, "a") == files_of(again, tmp_path, "b")
    assert_legible(figure)


def test_a_study_of_controls_shows_them_and_one_of_images_these_alone():
    for names, said in ((["unshuffle"], True), ([], False)):
        figure = draw_class_recall(recall_frame(runs_of(names), {"clinic": CARD}), {"clinic": CARD}, LABELS)
        assert ("Autoencoders: Unshuffle (control)." in words(figure)) == said
        assert_legible(figure)


def test_columns_of_panels_are_balanced_and_every_class_has_the_same_room():
    assert balanced([13, 8, 19, 2]) == [[0, 1], [2, 3]]
    assert balanced([4]) == [[0]]
    figure, grid = class_panels([13, 8, 19, 2])
    figure.draw_without_rendering()
    rooms = [axes.get_window_extent().height / number for axes, number in zip(grid, [13, 8, 19, 2], strict=True)]
    assert max(rooms) < 1.15 * min(rooms)


def test_nineteen_classes_with_long_names_are_legible():
    cards, rows = {}, []
    for dataset, number in (("d13", 13), ("d8", 8), ("d19", 19), ("d2", 2)):
        classes = [f"Interlobular septal thickening {i}" for i in range(number)]
        cards[dataset] = {"classes": classes, "counts": {name: 10000 - i for i, name in enumerate(classes)}}
        for name, space in (("original", "image"), ("sd14", "latent"), ("sd14", "reconstruction")):
            role = "baseline" if name == "original" else "family"
            rows += [(dataset, name, role, space, 0, each, 0.5) for each in classes]
    recall = pd.DataFrame(rows, columns=["dataset", "autoencoder", "role", "space", "fold", "class_name", "recall"])
    assert_legible(draw_class_recall(recall, cards, Labels({name: name for name in cards}, LABELS.autoencoders)))
