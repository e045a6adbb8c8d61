"""Training curves and noise levels: lines are means over folds of the files, the best epoch and chance are marked."""

import numpy as np
import pandas as pd
import pytest

from learnability.errors import InputError
from learnability.figures.noise_levels import draw_noise_levels, places_of
from learnability.figures.training_curves import SCORE, draw_training_curves, history_frame, mean_curve
from learnability.tables.labels import Labels
from tests.drawn import assert_legible, files_of, handle_of, lines, look_of, panel, points, words

LABELS = Labels(
    {"clinic": "Clinic", "other": "Other"},
    {"sd14": "SD 1.4", "flux2": "Flux.2"},
    frozenset({"other"}),
    {"noisy": "+ Noise cond.", "augmented": "noise augmented"},
)
LEVELS = [0.0, 0.01, 0.1, 1.0, 10.0]


def runs_of(epochs):
    """(metrics, history) of every dataset and space, with these numbers of epochs in the folds."""
    runs = []
    cells = [("original", "image", "baseline"), ("sd14", "latent", "family"), ("sd14", "reconstruction", "family")]
    for dataset in ("clinic", "other"):
        for name, space, role in cells:
            for fold, number in enumerate(epochs):
                score = np.random.default_rng([number, fold, len(space)]).random(number)
                run = {"dataset": dataset, "autoencoder": name, "role": role, "space": space, "fold": fold}
                history = pd.DataFrame({"epoch": range(1, number + 1), "lr": 1e-4, "train_loss": 1.0, SCORE: score})
                runs.append((run | {"best_epoch": int(score.argmax()) + 1}, history))
    return runs


def test_folds_are_drawn_as_they_are_with_their_best_epoch_and_their_mean(tmp_path):
    runs = runs_of([7, 5])
    figure = draw_training_curves(history_frame(runs), {"latent": 3}, LABELS)
    for row, space in enumerate(("image", "latent", "reconstruction")):
        axes = figure.axes[2 * row]
        own = [pair for pair in runs if pair[0]["space"] == space and pair[0]["dataset"] == "clinic"]
        scores = [history[SCORE].to_numpy() for _, history in own]
        assert [line[:, 1].tolist() for line in lines(axes, "fold")] == [score.tolist() for score in scores]
        (mean,) = lines(axes, "mean")
        assert mean == pytest.approx(np.column_stack([range(1, 6), (scores[0][:5] + scores[1]) / 2]))
        best = sorted((run["best_epoch"], history[SCORE].max()) for run, history in own)
        assert points(axes, "best") == pytest.approx(np.array(best))
        assert bool(lines(axes, "reweighting")) == (space == "latent")
    assert lines(figure.axes[2], "reweighting")[0][0, 0] == 3.5  # between the epochs 3 and 4
    assert "Other (phantom)" in words(figure)
    assert look_of(handle_of(figure, "SD 1.4")) != look_of(handle_of(figure, "original images"))
    again = draw_training_curves(history_frame(runs), {"latent": 3}, LABELS)
    assert files_of(figure, tmp_path, "a") == files_of(again, tmp_path, "b")
    assert_legible(figure)


def test_a_mean_ends_where_the_first_fold_ends_and_of_one_fold_it_is_that():
    frame = history_frame(runs_of([3, 9]))
    assert mean_curve(frame[(frame["space"] == "latent") & (frame["dataset"] == "clinic")]).index.tolist() == [1, 2, 3]
    figure = draw_training_curves(history_frame(runs_of([4])), {}, LABELS)
    assert len(lines(figure.axes[0], "mean")) == 1


def curves_of(recipes=("noisy",), folds=(0, 1, 2), datasets=("clinic", "other"), levels=LEVELS):
    rows = []
    for recipe in recipes:
        for dataset in datasets:
            for fold in folds:
                score = np.random.default_rng([fold, len(recipe), len(dataset)]).random(len(levels))
                identity = {"dataset": dataset, "autoencoder": "flux2", "space": "latent", "recipe": recipe}
                rows.append(pd.DataFrame({"sigma": levels, "balanced_accuracy": score}).assign(fold=fold, **identity))
    return pd.concat(rows, ignore_index=True)


def test_curves_are_means_over_folds_with_their_range_and_chance(tmp_path):
    curves, chance = curves_of(("noisy", "augmented")), {"clinic": 0.25, "other": 0.5}
    figure = draw_noise_levels(curves, {"flux2": "family"}, chance, LABELS)
    for dataset, title in (("clinic", "Clinic"), ("other", "Other (phantom)")):
        axes = panel(figure, title)
        own = curves[curves["dataset"] == dataset]
        drawn, clean = lines(axes, "mean"), lines(axes, "clean")
        for i, recipe in enumerate(("noisy", "augmented")):
            values = own[own["recipe"] == recipe].pivot(index="sigma", columns="fold", values="balanced_accuracy")
            assert drawn[i][:, 0] == pytest.approx(LEVELS[1:])
            assert drawn[i][:, 1] == pytest.approx(values.mean(axis=1).to_numpy()[1:])
            assert clean[i][0, 1] == pytest.approx(values.loc[0.0].mean())
            band = axes.collections[2 * i + 1].get_paths()[0].vertices[:, 1]
            assert (band.min(), band.max()) == pytest.approx((values[1:].min().min(), values[1:].max().max()))
        assert lines(axes, "chance")[0][:, 1] == pytest.approx([chance[dataset]] * 2)
    styles = {handle_of(figure, f"Flux.2, {name}").get_linestyle() for name in ("+ Noise cond.", "noise augmented")}
    assert len(styles) == 2
    assert "not patients" in words(figure)
    again = draw_noise_levels(curves, {"flux2": "family"}, chance, LABELS)
    assert files_of(figure, tmp_path, "a") == files_of(again, tmp_path, "b")
    assert_legible(figure)


def test_clean_latents_have_a_place_of_their_own():
    place, clean = places_of(np.array(LEVELS))
    assert place.tolist() == [clean, *LEVELS[1:]]
    assert 0 < clean < 0.005


@pytest.mark.parametrize(
    ("levels", "columns", "shown"),
    [
        (np.geomspace(0.002, 80, 32), 1, ["clean", "0.01", "0.1", "1", "10"]),
        (np.geomspace(0.002, 80, 32), 4, ["clean", "0.1", "1", "10"]),  # 0.01 would touch clean
        (np.geomspace(1e-5, 1000, 32), 4, ["clean", "0.001", "0.1", "1", "10", "1000"]),
    ],
)
def test_the_levels_that_have_room_are_labelled(levels, columns, shown):
    names = {f"set{i}": f"Set {i}" for i in range(columns)}
    labels = Labels(names, LABELS.autoencoders, frozenset(), LABELS.rows)
    curves = curves_of(datasets=names, levels=[0.0, *levels])
    figure = draw_noise_levels(curves, {"flux2": "family"}, dict.fromkeys(names, 0.25), labels)
    for axes in figure.axes:
        assert [text for label in axes.get_xticklabels() if (text := label.get_text())] == shown
    assert_legible(figure)


def test_one_fold_has_no_band_and_no_run_no_figure():
    chance = {"clinic": 0.25, "other": 0.5}
    figure = draw_noise_levels(curves_of(folds=[3]), {"flux2": "family"}, chance, LABELS)
    assert len(lines(figure.axes[0], "mean")) == 1
    with pytest.raises(InputError, match=r"no run of study\.recipes\.table4 was trained with noise"):
        draw_noise_levels(curves_of().head(0), {}, {}, LABELS)
