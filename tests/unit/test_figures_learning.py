"""Learning curves: every line agrees with the table, over the number of images, with a chance line and error bars."""

import numpy as np
import pandas as pd
import pytest

from learnability.figures.learning_curves import draw_learning_curves
from learnability.tables.labels import Labels
from learnability.tables.learning_curve import CURVE_COLUMNS
from tests.drawn import assert_legible, files_of, handle_of, lines, look_of, words

LABELS = Labels(
    {"clinic": "Clinic", "other": "Other"},
    {"sd14": "SD 1.4", "flux2": "Flux.2", "unshuffle": "Unshuffle"},
    frozenset({"other"}),
)
CHANCE = {"clinic": 0.25, "other": 0.5}
SIZES = [12, 80, 100, 400]
CELLS = [
    ("original", "baseline", "image"), ("sd14", "family", "reconstruction"), ("sd14", "family", "latent"),
    ("unshuffle", "control", "latent"),
]  # fmt: skip


def table_of(folds: int = 3) -> pd.DataFrame:
    """learning_curve.csv as it is read: numbers as text where a column has n/a."""
    rows = []
    for dataset in CHANCE:
        for place, (name, role, space) in enumerate(CELLS):
            for step, size in enumerate(SIZES):
                known = (dataset, name, role, space, f"step{step}", 0.1 * step, float(size), size / 2)
                rows.append((*known, "balanced_accuracy", "n/a", "n/a", 0.4 + 0.1 * step + 0.02 * place, 0.03, folds))
            rows.append(
                (dataset, name, role, space, *["n/a"] * 4, "sample_complexity", "image", 0.3, "> 400", "n/a", folds)
            )
    table = pd.DataFrame(rows[::-1], columns=CURVE_COLUMNS)
    texts = ("train_share", "n_images", "n_groups", "eps", "mean", "sd")
    return table.astype(dict.fromkeys(texts, str))


def test_each_curve_is_that_of_the_table_over_images(tmp_path):
    figure = draw_learning_curves(table_of(), CHANCE, LABELS)
    for axes, dataset in zip(figure.axes, CHANCE, strict=True):
        drawn = {tuple(np.round(line[:, 1], 9)) for line in lines(axes, "mean")}
        assert drawn == {tuple(np.round(0.4 + 0.1 * np.arange(4) + 0.02 * place, 9)) for place in range(4)}
        assert all(line[:, 0].tolist() == SIZES for line in lines(axes, "mean"))
        assert axes.get_xscale() == "log"
        assert {*lines(axes, "chance")[0][:, 1]} == {CHANCE[dataset]}
        bars = [child for child in axes.collections if child.get_gid() == "sd"]
        ends = np.array([segment[:, 1] for bar in bars for segment in bar.get_segments()])
        assert np.diff(ends, axis=1) == pytest.approx(np.full((16, 1), 0.06))
    labels = [tick.get_text() for tick in figure.axes[0].get_xticklabels()]
    assert labels == ["400", "100", "12"]  # 80 would touch 100
    looks = [look_of(handle_of(figure, label)) for label in
             ("images", "SD 1.4, latents", "SD 1.4, reconstructions", "Unshuffle (control), latents")]  # fmt: skip
    assert len(set(looks)) == 4
    assert "Other (phantom)" in words(figure)
    assert "Mean over 3 folds and a standard deviation to either side. " in figure.get_label()
    assert "synthetic" in figure.get_label()
    again = draw_learning_curves(table_of(), CHANCE, LABELS)
    assert files_of(figure, tmp_path, "a") == files_of(again, tmp_path, "b")
    assert_legible(figure)


def test_one_fold_has_no_error_bars():
    figure = draw_learning_curves(table_of(folds=1), CHANCE, LABELS)
    assert not [child for axes in figure.axes for child in axes.collections if child.get_gid() == "sd"]
    assert figure.get_label().startswith("One fold.")
