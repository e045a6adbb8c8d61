"""Figure 2: its points and lines are the numbers of the tables and tests."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from learnability.figures.figure2 import draw_figure2, regression
from learnability.significance.gap import fidelity_vs_gap, latent_vs_reconstruction
from learnability.tables.labels import Labels
from learnability.tables.table2 import table2
from tests.drawn import assert_legible, handle_of, lines, look_of, words
from tests.scored_runs import of, only, scored_runs

DATASETS = {"isic2019": "ISIC-2019", "ct_rate": "CT-RATE", "cardium": "Cardium"}
AUTOENCODERS = {"sd14": "SD 1.4", "flux2": "Flux.2", "unshuffle": "Pixel unshuffle 8"}
LABELS = Labels(DATASETS, AUTOENCODERS, frozenset({"cardium"}))


def runs_of(names, **options):
    spaces = [(name, space, "r") for name in names for space in ("latent", "reconstruction")]
    return scored_runs([("original", "image", "r"), *spaces], **options)


def files(metrics, tmp_path, lossless=()):
    """table2.csv, latent_vs_reconstruction.csv and fidelity_vs_gap.csv of these runs, as they are read back."""
    pairs = metrics[["dataset", "autoencoder", "role"]].drop_duplicates()
    pairs = pairs[pairs["role"] != "baseline"].reset_index(drop=True)
    psnr = 30 + np.random.default_rng(1).random(len(pairs)) * 10
    fidelity = pairs.assign(psnr=np.where(pairs["autoencoder"].isin(lossless), np.inf, psnr), ssim=0.9, sample_id="a")
    results = table2(fidelity), latent_vs_reconstruction(metrics), fidelity_vs_gap(metrics, fidelity)
    for i, frame in enumerate(results):
        frame.to_csv(tmp_path / f"{i}.csv", index=False)
    return [pd.read_csv(tmp_path / f"{i}.csv", keep_default_na=False) for i in range(3)]


def test_figure_2_shows_every_family_pair_and_no_control(tmp_path):
    metrics = runs_of(AUTOENCODERS)
    tables = files(metrics, tmp_path)
    figure = draw_figure2(*tables, LABELS)
    axes = figure.axes[0]
    for name in ("sd14", "flux2"):
        expected = []
        for dataset in DATASETS:
            gap = of(metrics, dataset, name, "reconstruction", "r") - of(metrics, dataset, name, "latent", "r")
            expected.append((only(tables[0], dataset=dataset, autoencoder=name, metric="psnr")["mean"], gap.mean()))
        (drawn,) = [line for line in axes.lines if line.get_label() == AUTOENCODERS[name]]
        assert np.sort(drawn.get_xydata(), axis=0) == pytest.approx(np.sort(expected, axis=0))
        assert look_of(handle_of(figure, AUTOENCODERS[name])) == look_of(drawn)
    assert "Pixel" not in words(figure)
    assert "6 pairs of autoencoder family and dataset, each the mean over 5 folds." in words(figure)
    assert "Cardium (phantom)" in words(figure)
    assert "not patients" in words(figure)
    assert_legible(figure)


def test_the_regression_is_that_of_scipy_and_its_interval_that_of_the_mean(tmp_path):
    tables = files(runs_of(["sd14", "flux2"]), tmp_path)
    axes = draw_figure2(*tables, LABELS).axes[0]
    xy = np.concatenate([line.get_xydata() for line in axes.lines if line.get_label() in AUTOENCODERS.values()])
    fit = stats.linregress(*xy.T)
    (line,) = lines(axes, "regression")
    assert line[:, 1] == pytest.approx(fit.intercept + fit.slope * line[:, 0])
    # At the mean of x, the error of the line is that of the mean: s / sqrt(n).
    _, half = regression(*xy.T, np.array([xy[:, 0].mean()]))
    residual = xy[:, 1] - fit.intercept - fit.slope * xy[:, 0]
    error = np.sqrt((residual**2).sum() / (len(xy) - 2) / len(xy))
    assert half == pytest.approx(stats.t.ppf(0.975, len(xy) - 2) * error)
    # At x = 0, it is that of the intercept.
    _, half = regression(*xy.T, np.array([0.0]))
    assert half == pytest.approx(stats.t.ppf(0.975, len(xy) - 2) * fit.intercept_stderr)


def test_figure_2_quotes_the_tests_as_they_are(tmp_path):
    tables = files(runs_of(["sd14", "flux2"]), tmp_path)
    tests = tables[2].astype(object)
    tests.loc[tests["test"] == "pearson", ["effect", "ci_low", "ci_high", "p"]] = [-0.123, -0.5, 0.25, 0.0004]
    shown = words(draw_figure2(*tables[:2], tests, LABELS))
    assert "All pairs, n = 6 r = −.12 [−.50, .25], p < .001" in shown


@pytest.mark.parametrize(
    ("names", "lossless", "said"),
    [
        (["sd14"], [], "One pair of autoencoder family and dataset"),
        (["unshuffle"], [], "0 pairs"),
        (["sd14", "flux2"], ["flux2"], "1 left out because all images came back identical (infinite PSNR)."),
    ],
)
def test_figure_2_of_too_few_pairs_says_so(tmp_path, names, lossless, said):
    figure = draw_figure2(*files(runs_of(names, datasets=["cardium"]), tmp_path, lossless), LABELS)
    assert said in words(figure)
    assert "No regression: it needs three pairs that differ in PSNR." in words(figure)
    assert ("r n/a" in words(figure)) or "No pair to correlate." in words(figure)
    assert not lines(figure.axes[0], "regression")
    assert_legible(figure)


def test_figure_2_keeps_a_pair_of_which_one_image_came_back_identical(tmp_path):
    tables = files(runs_of(["sd14", "flux2"]), tmp_path)
    one = (tables[0]["autoencoder"] == "flux2") & (tables[0]["dataset"] == "cardium") & (tables[0]["metric"] == "psnr")
    tables[0].loc[one, "identical"] = 1
    shown = words(draw_figure2(*tables, LABELS))
    assert "6 pairs of autoencoder family and dataset" in shown
    assert "Identical reconstructions left out of the means of PSNR: 1 (Table 2)." in shown
