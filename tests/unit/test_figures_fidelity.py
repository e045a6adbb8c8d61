"""Figure 2 and the figure of the gaps: their points and lines are the numbers of the tables and tests."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from learnability.figures.figure2 import draw_figure2, regression
from learnability.figures.gaps import BELOW, draw_gaps
from learnability.significance.gap import fidelity_vs_gap, latent_vs_reconstruction
from learnability.tables.labels import Labels
from learnability.tables.table2 import table2
from tests.drawn import assert_legible, files_of, handle_of, lines, look_of, panel, points, words
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


def over_groups(over_folds):
    """group_level.csv of the same cells: effects as they are, with intervals of its own."""
    rows = over_folds[(over_folds["test"] == "corrected_paired_t") & (over_folds["metric"] == "balanced_accuracy")]
    effect = rows["effect"].astype(float)
    rows = rows.assign(ci_low=(effect - 0.03).astype(object), ci_high=(effect + 0.02).astype(object))
    return rows.assign(test="paired_groups", method="sampling and training").reset_index(drop=True)


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
        (["sd14", "flux2"], ["flux2"], "1 where all images came back identical (PSNR infinite) left out."),
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
    assert "Left out of the means of PSNR: 1 that came back identical (Table 2)." in shown


def test_the_gaps_are_those_of_the_runs_and_their_intervals_those_of_the_tests(tmp_path):
    metrics = runs_of(AUTOENCODERS)
    over_folds = files(metrics, tmp_path)[1]
    tests = over_groups(over_folds)
    figure = draw_gaps(metrics, over_folds, tests, LABELS)
    for dataset, label in (DATASETS | {"cardium": "Cardium (phantom)"}).items():
        axes = panel(figure, label)
        for name, height in {"sd14": 0.0, "flux2": 1.0, "unshuffle": 2.5}.items():
            gap = of(metrics, dataset, name, "reconstruction", "r") - of(metrics, dataset, name, "latent", "r")
            folds = [x for x, y in points(axes, "folds") if y == pytest.approx(height + BELOW)]
            assert folds == pytest.approx(sorted(gap))
            assert [x for x, y in points(axes, "mean") if y == height] == pytest.approx([gap.mean()])
            test = {"dataset": dataset, "autoencoder": name, "metric": "balanced_accuracy"}
            row = only(tests, **test)
            (interval,) = [line[:, 0] for line in lines(axes, "interval") if line[0, 1] == height]
            ends = [float(row["ci_low"]), float(row["ci_high"])]
            assert interval == pytest.approx(np.clip(ends, *axes.get_xlim()))
    assert figure.axes[0].get_yticklabels()[2].get_text() == "Pixel unshuffle 8\n(control)"
    assert "Ticks: the values of 5 folds" in words(figure)
    assert "over groups of images, its variance that of sampling and training;" in words(figure)
    assert "not patients" in words(figure)
    assert_legible(figure)


def test_a_pair_that_differs_after_correction_has_a_star(tmp_path):
    metrics = runs_of(["sd14", "flux2"])
    metrics.loc[(metrics["autoencoder"] == "flux2") & (metrics["space"] == "latent"), "balanced_accuracy"] -= 0.4
    over_folds = files(metrics, tmp_path)[1]

    def stars(groups):
        figure = draw_gaps(metrics, over_folds, groups, LABELS)
        assert "after Holm's correction" in words(figure)
        return [(axes.get_title(loc="left"), text.get_position()[1]) for axes in figure.axes for text in axes.texts]

    groups, every = over_groups(over_folds), ["ISIC-2019", "CT-RATE", "Cardium (phantom)"]
    assert stars(groups) == [(label, 1.0) for label in every]
    # The test over groups decides; where its variance is of sampling alone, that over folds does.
    groups["p_corrected"] = np.where(groups["autoencoder"] == "sd14", 0.04, 0.06)
    assert stars(groups) == [(label, 0.0) for label in every]
    assert stars(groups.assign(method="sampling only")) == [(label, 1.0) for label in every]


def test_one_fold_has_an_interval_of_sampling_and_a_study_without_latents_no_gap(tmp_path):
    one = runs_of(["sd14"], folds=[3], datasets=["cardium"])
    over_folds = files(one, tmp_path)[1]
    alone = over_groups(over_folds).assign(method="sampling only")
    figure = draw_gaps(one, over_folds, alone.assign(ci_low=-0.01, ci_high=0.01), LABELS)
    assert "the values of one fold" in words(figure)
    assert "of sampling alone: another training" in words(figure)
    assert len(lines(figure.axes[0], "interval")) == 1
    figure = draw_gaps(one, over_folds, alone.assign(ci_low="n/a", ci_high="n/a"), LABELS)
    assert "No interval" in words(figure)
    assert not lines(figure.axes[0], "interval")
    images = scored_runs([("original", "image", "r")])
    none = latent_vs_reconstruction(images)
    figure = draw_gaps(images, none, none, LABELS)
    assert "No autoencoder has both reconstruction and latent runs." in words(figure)
    assert len(files_of(figure, tmp_path, "a")) == 2
