"""Information in bits: the temperature, V-information of a known channel, and a curve's price worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax

from learnability.errors import InputError
from learnability.paper.findings import read_numbers
from learnability.significance.information import (
    TEMPERATURES,
    bits_of_run,
    cross_entropy,
    fit_temperature,
    sample_complexity,
    surplus_description_length,
    with_bits,
)
from learnability.significance.predictions import Images
from learnability.significance.t_tests import corrected_t
from learnability.storage.contracts import write_csv, write_parquet
from learnability.tables.labels import Labels
from learnability.tables.layout import number
from learnability.tables.learning_curve import learning_curve, render_learning_curve
from learnability.tables.probes import information, probes, render_information, render_probes
from tests.scored_runs import only, scored_runs

CLASSES = ["a", "b", "c"]
FOLDS = [0, 1, 2]
LABELS = Labels(
    {"skin": "Skin", "ct_rate": "CT-RATE", "isic2019": "ISIC", "cardium": "Cardium"},
    {"flux2": "Flux.2", "unshuffle": "Unshuffle"},
    frozenset({"skin"}),
    {"probe_linear": "Linear", "whole": "Whole"},
)


def test_cross_entropy_is_scipys_in_bits_and_does_not_mind_what_is_added_to_a_row():
    random = np.random.default_rng(0)
    logits, label = random.normal(0, 3, (50, 4)), random.integers(0, 4, 50)
    expected = -log_softmax(logits / 1.7, axis=1)[np.arange(50), label].mean() / np.log(2)
    assert cross_entropy(logits, label, 1.7) == pytest.approx(expected, rel=1e-12)
    assert cross_entropy(logits + random.normal(0, 9, (50, 1)), label, 1.7) == pytest.approx(expected, rel=1e-12)
    assert cross_entropy(np.zeros((8, 4)), np.zeros(8, dtype=int)) == 2.0


def test_the_temperature_of_two_classes_has_a_closed_form():
    """The logit is always d, and a share p is right. Then T = d / log(p/(1-p)) gives probability p, the best one."""
    label = np.array([0] * 80 + [1] * 20)
    logits = np.tile([3.0, 0.0], (100, 1))
    assert fit_temperature(logits, label) == pytest.approx(3 / np.log(4), rel=1e-5)
    entropy = -(0.8 * np.log2(0.8) + 0.2 * np.log2(0.2))
    assert cross_entropy(logits, label, fit_temperature(logits, label)) == pytest.approx(entropy, rel=1e-9)


@pytest.mark.parametrize("true", [0.2, 1.0, 7.0])
def test_the_temperature_is_found_that_made_the_labels_and_equals_another_optimiser(true):
    random = np.random.default_rng(1)
    logits = random.normal(0, 4, (4000, 3))
    label = (logits / true + random.gumbel(size=logits.shape)).argmax(axis=1)
    found = fit_temperature(logits, label)
    assert found == pytest.approx(true, rel=0.1)
    brute = minimize(lambda x: cross_entropy(logits, label, 1 / x[0]), [1 / true], method="Nelder-Mead",
                     options={"xatol": 1e-9, "fatol": 1e-12})  # fmt: skip
    assert found == pytest.approx(1 / brute.x[0], rel=1e-4)


def test_where_all_are_right_the_temperature_is_at_its_lowest_and_where_none_is_at_its_highest():
    logits = np.eye(3)[np.tile([0, 1, 2], 5)]
    lowest = fit_temperature(logits, logits.argmax(axis=1))
    assert TEMPERATURES[0] <= lowest < 0.05
    assert cross_entropy(logits, logits.argmax(axis=1), lowest) < 1e-12
    assert fit_temperature(logits, (logits.argmax(axis=1) + 1) % 3) == pytest.approx(TEMPERATURES[1], rel=0.01)


def channel(folder, error: float, scale: float = 1.0, n: int = 5000, name: str = "run"):
    """A run whose classifier sees its class through a symmetric channel, and knows it up to a temperature."""
    random = np.random.default_rng(3)
    label, fold = random.integers(0, 3, n), np.arange(n) % 5
    seen = np.where(random.random(n) < error, (label + random.integers(1, 3, n)) % 3, label)
    logits = scale * np.log(np.where(np.arange(3) == seen[:, None], 1 - error, error / 2))
    probability = np.exp(log_softmax(logits, axis=1))
    ids = [f"image{i}" for i in range(n)]
    frame = pd.DataFrame({"sample_id": ids, "label": label, "split": np.where(fold == 0, "test", "validation")})
    frame[CLASSES] = probability
    path = folder / f"{name}.parquet"
    write_parquet(frame[fold < 2], path)
    return path, Images(pd.Index(ids), label, fold, np.arange(n), 5)


def capacity(error: float) -> float:
    return np.log2(3) + (1 - error) * np.log2(1 - error) + error * np.log2(error / 2)


@pytest.mark.parametrize("error", [0.1, 0.4])
@pytest.mark.parametrize("scale", [0.05, 1.0, 3.0])
def test_information_of_a_symmetric_channel_is_its_capacity_whatever_the_temperature(tmp_path, error, scale):
    path, images = channel(tmp_path, error, scale)
    found = bits_of_run(path, images, CLASSES, 0)
    test = images.label[images.fold == 0]
    sampling = 3 * 2.5 / np.sqrt(len(test))  # of a mean of surprises of up to 4.3 bits
    assert found["information"] == pytest.approx(capacity(error), abs=sampling)
    assert found["entropy"] == pytest.approx(np.log2(3), abs=0.01)
    assert found["temperature"] == pytest.approx(scale, rel=0.15)
    assert found["information"] == found["entropy"] - found["cross_entropy"]


def test_a_classifier_that_knows_nothing_has_no_information_and_an_absent_class_no_part_in_it(tmp_path):
    path, images = channel(tmp_path, 2 / 3)
    assert bits_of_run(path, images, CLASSES, 0)["information"] == pytest.approx(0, abs=0.01)
    trains = images.fold > 1
    lacking = images._replace(label=np.where(trains & (images.label == 2), 0, images.label))
    found = bits_of_run(path, lacking, CLASSES, 0)
    test = lacking.label[(lacking.fold == 0) & (lacking.label < 2)]
    shares = np.bincount(lacking.label[trains], minlength=2) / trains.sum()
    assert found["entropy"] == pytest.approx(-np.log2(shares[test]).mean())


def test_the_price_of_a_curve_is_the_sum_worked_out_by_hand():
    n, loss = [10, 20, 50, 100], [2.0, 1.5, 1.0, 0.5]
    assert surplus_description_length(n, loss, 0.5) == 10 * 1.5 + 10 * 1.0 + 30 * 0.5
    assert surplus_description_length(n, loss, 1.2) == 10 * 0.8 + 10 * 0.3
    assert sample_complexity(n, loss, 1.0) == 50
    assert sample_complexity(n, loss, 0.4) is None


def bits_runs(cells, datasets=("skin",), folds=FOLDS) -> pd.DataFrame:
    """Runs whose bits differ by cell, dataset and fold."""
    runs = scored_runs(cells, datasets, folds)
    place = runs.groupby(["dataset", "autoencoder", "space", "recipe"], sort=False).ngroup()
    runs["cross_entropy"] = 1.0 - 0.1 * place + 0.01 * runs["fold"] ** 2
    runs["entropy"], runs["temperature"] = 1.5 + 0.1 * runs["fold"], 1.2
    return runs.assign(information=runs["entropy"] - runs["cross_entropy"], n_train_groups=300)


LADDER = [
    (name, space, recipe)
    for name, space in (
        ("original", "image"),
        ("flux2", "latent"),
        ("flux2", "reconstruction"),
        ("unshuffle", "latent"),
    )
    for recipe in ("probe_linear", "whole")
]


def test_with_bits_reads_every_run_with_its_own_classes(tmp_path):
    path, images = channel(tmp_path, 0.1)
    other, more = channel(tmp_path, 0.4, name="other")
    metrics = pd.DataFrame({"dataset": ["x", "y"], "fold": [0, 0]}, index=[5, 7])
    found = with_bits(metrics, [path, other], {"x": images, "y": more}, {"x": CLASSES, "y": CLASSES})
    assert found.loc[5, "information"] == bits_of_run(path, images, CLASSES, 0)["information"]
    assert found.loc[7, "information"] < found.loc[5, "information"]


def test_information_has_every_cell_and_the_gap_paired_by_fold():
    runs = bits_runs(LADDER)
    runs.loc[runs["space"] == "latent", "information"] *= 0.5
    table = information(runs, FOLDS)
    gap = only(table, space="reconstruction_vs_latent", recipe="whole")
    side = {
        space: runs[(runs["autoencoder"] == "flux2") & (runs["space"] == space) & (runs["recipe"] == "whole")]
        for space in ("reconstruction", "latent")
    }
    difference = side["reconstruction"]["information"].to_numpy() - side["latent"]["information"].to_numpy()
    expected = corrected_t(difference, (side["latent"]["n_test"] / side["latent"]["n_train"]).mean())
    assert (gap["mean"], gap["ci_low"]) == pytest.approx((difference.mean(), expected["ci_low"]))
    assert gap["sd"] == pytest.approx(difference.std(ddof=1))
    assert set(table["quantity"]) == {"entropy", "cross_entropy", "information", "temperature"}
    assert only(table, space="image", recipe="whole", quantity="temperature")["sd"] == pytest.approx(0, abs=1e-12)
    two = information(runs[runs["fold"] < 2], [0, 1])
    assert set(two["ci_low"]) == {"n/a"}
    with pytest.raises(InputError, match="fold 2 is missing"):
        information(runs[runs["fold"] < 2], FOLDS)


def test_the_ladder_shows_each_rung_in_every_space_with_its_gap():
    runs = bits_runs(LADDER, ("skin", "cardium"))
    table = probes(runs, FOLDS)
    means = {
        space: only(table, dataset="skin", autoencoder="flux2", space=space, recipe="whole", metric="balanced_accuracy")
        for space in ("reconstruction", "latent")
    }
    text = render_probes(table, LABELS, ["A note."])
    line = next(line for line in text["md"].splitlines() if line.startswith("|  | Whole"))
    points = 100 * (means["reconstruction"]["mean"] - means["latent"]["mean"])
    assert line.split(" | ")[5] == f"{points:.1f}".replace("-", "−")
    assert "Skin (phantom) RS − LS" in text["md"]
    assert "synthetic" in text["md"]
    assert "A note." in text["tex"]
    unshuffle = next(line for line in text["md"].splitlines() if line.startswith("| Unshuffle (control) | Linear"))
    assert unshuffle.split(" | ")[3] == unshuffle.split(" | ")[5] == "–"
    runs.loc[runs["space"] == "latent", "information"] *= 0.5
    table = information(runs, FOLDS)
    bits = render_information(table, LABELS)
    gap = only(table, dataset="skin", space="reconstruction_vs_latent", recipe="whole")
    line = next(line for line in bits["md"].splitlines() if line.startswith("|  | Whole"))
    assert line.split(" | ")[5] == f"{gap['mean']:.3f} \\[{gap['ci_low']:.3f}, {gap['ci_high']:.3f}\\]".replace(
        "0.", "."
    )
    assert "synthetic" in bits["html"]
    assert "RS − LS with its 95 % interval." in bits["md"]


def test_a_caption_promises_only_what_the_table_has():
    runs = bits_runs(LADDER, ("skin",), [0, 1])
    two = render_information(information(runs, [0, 1]), LABELS)["md"]
    assert "RS − LS." in two
    assert "interval" not in two
    latents = information(runs[runs["space"] != "reconstruction"], [0, 1])
    assert "RS −" not in render_information(latents, LABELS)["md"]
    alone = probes(runs[runs["space"] != "reconstruction"], [0, 1])
    assert "RS −" not in render_probes(alone, LABELS)["md"]
    assert "linear map" not in render_probes(alone, LABELS)["md"]  # the rungs are the study's own
    curves, shares = curve_runs()
    both = render_learning_curve(learning_curve(curves, shares, FOLDS), LABELS)["md"]
    assert "against the loss of reconstructions" in both
    curves = curves[curves["space"] != "reconstruction"]
    assert "reconstructions" not in render_learning_curve(learning_curve(curves, shares, FOLDS), LABELS)["md"]


def curve_runs(folds=FOLDS) -> pd.DataFrame:
    """Latents are at .9, .7, .5 bits, reconstructions at .8, .6, .4, images at .7, .5, .3, of 100, 200, 400 images."""
    recipes = {"tenth": 0.1, "half": 0.5, "whole": 1.0}
    cells = [(name, space, recipe) for name, space in (("original", "image"), ("flux2", "latent"),
             ("flux2", "reconstruction")) for recipe in recipes]  # fmt: skip
    runs = bits_runs(cells, folds=folds)
    step = runs["recipe"].map({"tenth": 0, "half": 1, "whole": 2})
    runs["n_train"], runs["n_train_groups"] = 100 * 2**step, 50 * 2**step
    runs["cross_entropy"] = runs["space"].map({"latent": 0.9, "reconstruction": 0.8, "image": 0.7}) - 0.2 * step
    runs["cross_entropy"] += 0.01 * (runs["fold"] - np.mean(folds))
    return runs, recipes


def test_a_learning_curve_has_its_sizes_and_its_price_by_hand():
    runs, shares = curve_runs()
    table = learning_curve(runs.sample(frac=1, random_state=0), shares, FOLDS)
    latent = table[(table["space"] == "latent") & (table["metric"] == "cross_entropy")]
    assert latent["train_share"].tolist() == [0.1, 0.5, 1.0]
    assert latent["n_images"].tolist() == [100, 200, 400]
    assert latent["n_groups"].tolist() == [50, 100, 200]
    assert latent["mean"].tolist() == pytest.approx([0.9, 0.7, 0.5])
    price = {metric: only(table, space="latent", metric=metric, eps_of="reconstruction") for metric in
             ("surplus_description_length", "sample_complexity")}  # fmt: skip
    assert price["surplus_description_length"]["eps"] == pytest.approx(0.4)
    assert price["surplus_description_length"]["mean"] == pytest.approx(100 * 0.5 + 100 * 0.3 + 200 * 0.1)
    assert price["sample_complexity"]["mean"] == "n/a (> 400)"
    own = only(table, space="reconstruction", metric="sample_complexity", eps_of="reconstruction")
    assert own["mean"] == 400
    image = only(table, space="image", metric="surplus_description_length", eps_of="image")
    assert image["mean"] == pytest.approx(100 * 0.4 + 100 * 0.2)
    assert len(table[table["eps_of"] != "n/a"]) == 2 * (1 + 2 + 2)
    text = render_learning_curve(table, LABELS)
    last = [line for line in text["md"].splitlines() if "Flux.2 | LS" in line][-1]
    score = runs[(runs["space"] == "latent") & (runs["recipe"] == "whole")]["balanced_accuracy"]
    shown = number(score.mean(), score.std(ddof=1))
    assert last.split(" | ")[3:] == ["100%", "400", "200", shown, ".500 ± .010", "100", "> 400 |"]
    assert "synthetic" in text["md"]
    without = runs[runs["recipe"] != "whole"]
    with pytest.raises(InputError, match="no run with all training rows"):
        learning_curve(without, shares, FOLDS)


def test_a_curve_that_does_not_reach_its_loss_is_read_with_the_other_tables(tmp_path):
    runs, shares = curve_runs()
    write_csv(learning_curve(runs, shares, FOLDS), tmp_path / "learning_curve.csv")
    table = read_numbers(tmp_path / "learning_curve.csv")
    latent = only(table, space="latent", metric="sample_complexity", eps_of="reconstruction")
    assert np.isnan(latent["mean"])
    assert only(table, space="reconstruction", metric="sample_complexity", eps_of="reconstruction")["mean"] == 400


@pytest.mark.parametrize("split", ["validation", "test"])
def test_predictions_that_lack_rows_of_a_split_are_refused(tmp_path, split):
    path, images = channel(tmp_path, 0.1, n=50)
    frame = pd.read_parquet(path)
    one = frame.index[frame["split"] == split][:1]
    for kept in (frame[frame["split"] != split], frame.drop(one)):
        write_parquet(kept, path)
        with pytest.raises(InputError, match=f"its {split} rows are not the 10 {split} images of fold 0"):
            bits_of_run(path, images, CLASSES, 0)


def test_test_rows_have_no_part_in_the_temperature(tmp_path):
    path, images = channel(tmp_path, 0.1, scale=3.0)
    before = bits_of_run(path, images, CLASSES, 0)
    frame = pd.read_parquet(path)
    frame.loc[frame["split"] == "test", CLASSES] = 1 / 3
    write_parquet(frame, path)
    after = bits_of_run(path, images, CLASSES, 0)
    assert after["temperature"] == before["temperature"]
    assert after["cross_entropy"] == pytest.approx(np.log2(3))
