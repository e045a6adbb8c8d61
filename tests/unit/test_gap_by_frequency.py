"""The gap on frequent, middle and rare classes: by hand on every image, and in words."""

import numpy as np
import pandas as pd
import pytest

from learnability.significance.decomposition import gap_decomposition
from learnability.significance.frequency import FREQUENCY_COLUMNS, gap_by_frequency, parts_of
from learnability.tables.gap_by_frequency import caption_of, render_gap_by_frequency
from learnability.tables.labels import Labels
from tests.grouped import CLASSES, answered
from tests.rendered import markdown_rows
from tests.scored_runs import only, scored_runs

RECIPES = {"image": "image", "latent": "latent", "matched": {"matched": ["matched", "again"]}}
CELLS = [
    *((name, space, recipe) for name in ("sd14", "flux2") for space, recipe in (
        ("reconstruction", "image"), ("latent", "latent"), ("reconstruction", "matched"), ("latent", "matched"),
        ("reconstruction", "again"), ("latent", "again"))),
    ("original", "image", "matched"), ("unshuffle", "latent", "matched"),
    ("original", "image", "again"), ("unshuffle", "latent", "again"),
]  # fmt: skip
COUNTS = {"a": 10, "b": 100, "c": 50}
DECOMPOSED = {"datasets": ["isic2019"], "autoencoders": ["sd14", "flux2"]}
CARDS = {"isic2019": {"classes": CLASSES, "counts": COUNTS}}


@pytest.fixture(scope="module")
def study():
    return answered(scored_runs(CELLS, datasets=["isic2019"]))


@pytest.fixture(scope="module")
def table(study):
    return gap_by_frequency(*study, CARDS, RECIPES, DECOMPOSED, {"sd14": "unshuffle", "flux2": "unshuffle"})


def recall(study, label, *cell):
    """Mean over folds of the recall of one class in a cell."""
    metrics, images = study
    runs = metrics[(metrics[["autoencoder", "space", "recipe"]] == list(cell)).all(axis=1)]
    of = {fold: images["isic2019"].label[images["isic2019"].fold == fold] == label for fold in runs["fold"]}
    return np.mean([right[of[fold]].mean() for fold, right in zip(runs["fold"], runs["right"], strict=True)])


def test_classes_are_parted_in_order_of_their_images():
    seven = {"akiec": 327, "bcc": 514, "bkl": 1099, "df": 115, "mel": 1113, "nv": 6705, "vasc": 142}
    expected = {"head": ["nv", "mel", "bkl"], "middle": ["bcc", "akiec"], "tail": ["vasc", "df"]}
    assert parts_of(seven) == expected
    assert parts_of({"CHD": 10, "normal": 90}) == {"head": ["normal"], "tail": ["CHD"]}
    assert parts_of(COUNTS) == {"head": ["b"], "middle": ["c"], "tail": ["a"]}


def test_every_gap_is_the_difference_of_recalls_of_its_classes(study, table):
    assert list(table) == FREQUENCY_COLUMNS
    assert len(table) == 2 * 4 * 3  # autoencoders, kinds, parts
    for part, label in (("head", 1), ("middle", 2), ("tail", 0)):

        def gap(first, second, label=label):
            trainings = ["matched", "again"]
            return np.mean([recall(study, label, *first, r) - recall(study, label, *second, r) for r in trainings])

        paper = recall(study, label, "sd14", "reconstruction", "image") - recall(
            study, label, "sd14", "latent", "latent"
        )
        matched, control = (
            gap(("sd14", "reconstruction"), ("sd14", "latent")),
            gap(("original", "image"), ("unshuffle", "latent")),
        )
        expected = {
            "gap_paper": paper,
            "gap_matched": matched,
            "gap_control": control,
            "gap_encoding": matched - control,
        }
        for kind, value in expected.items():
            row = only(table, autoencoder="sd14", kind=kind, part=part)
            assert row["gap"] == pytest.approx(value, abs=1e-12)
            assert row["ci_low"] < row["gap"] < row["ci_high"]
            assert (row["classes"], row["recipe"]) == (CLASSES[label], "table1" if kind == "gap_paper" else "matched")


def test_of_all_classes_it_is_the_interval_of_the_decomposition(study):
    one = {"isic2019": {"classes": CLASSES, "counts": COUNTS}}
    recipes = RECIPES | {"matched": {"matched": ["matched"]}}
    controls = {"sd14": "unshuffle", "flux2": "unshuffle"}
    whole = only(
        gap_decomposition(study[0], recipes, controls, study[1]), autoencoder="flux2", metric="balanced_accuracy"
    )
    split = pytest.MonkeyPatch()
    split.setattr("learnability.significance.frequency.parts_of", lambda counts: {"head": [*counts]})
    found = gap_by_frequency(*study, one, recipes, DECOMPOSED, controls)
    split.undo()
    for kind in ("gap_paper", "gap_matched", "gap_control", "gap_encoding"):
        row = only(found, autoencoder="flux2", kind=kind)
        values = [whole[f"{kind}{end}"] for end in ("", "_ci_low", "_ci_high")]
        assert [row["gap"], row["ci_low"], row["ci_high"]] == pytest.approx(values, abs=1e-12)


def test_the_gap_of_the_encoding_is_cut_at_two():
    metrics, images = answered(scored_runs(CELLS, datasets=["isic2019"]))
    rng = np.random.default_rng(0)
    wrong = ((metrics["space"] == "latent") & (metrics["role"] == "family")) | (metrics["space"] == "image")
    shares = zip(metrics["right"], wrong, strict=True)
    metrics["right"] = [rng.random(len(own)) < (0.05 if few else 0.95) for own, few in shares]
    table = gap_by_frequency(metrics, images, CARDS, RECIPES, DECOMPOSED, {"sd14": "unshuffle", "flux2": "unshuffle"})
    rows = table[table["kind"] == "gap_encoding"]
    assert (rows["ci_high"] > rows["gap"]).all()
    assert (rows["gap"] > 1).all()


def test_outside_of_the_decomposition_a_matched_recipe_of_table_1_has_its_gap_alone():
    spaces = ("latent", "reconstruction")
    runs = scored_runs([(name, space, "matched") for name in ("sd14", "flux2") for space in spaces], ["isic2019"])
    sides = [("original", "image", "matched"), ("unshuffle", "latent", "matched")]
    metrics, images = answered(pd.concat([runs, scored_runs(sides, ["isic2019"])], ignore_index=True))
    recipes = {"image": "matched", "latent": "matched", "matched": {"matched": ["matched"]}}
    controls = {"sd14": "unshuffle", "flux2": "unshuffle"}
    inside = DECOMPOSED | {"autoencoders": ["flux2"]}
    found = gap_by_frequency(metrics, images, CARDS, recipes, inside, controls)
    kinds = ["gap_paper", "gap_matched", "gap_control", "gap_encoding"]
    assert list(found.loc[found["autoencoder"] == "sd14", "kind"].unique()) == kinds[:1]
    assert list(found.loc[found["autoencoder"] == "flux2", "kind"].unique()) == kinds
    # A study of two spaces has no run of the images, and decomposes nothing.
    metrics, images = answered(runs)
    nothing = {"datasets": [], "autoencoders": []}
    found = gap_by_frequency(metrics, images, CARDS, recipes, nothing, controls)
    assert set(found["kind"]) == {"gap_paper"}


def test_the_table_names_the_classes_and_every_kind(table):
    labels = Labels({"isic2019": "ISIC-2019"}, {"sd14": "SD 1.4", "flux2": "Flux.2"}, counts={"isic2019": COUNTS})
    text = render_gap_by_frequency(table, labels)
    rows = markdown_rows(text["md"])
    assert [row[1] for row in rows[1:5]] == ["Table 1", "matched", "matched: lossless control", "matched: encoding"]
    tail = only(table, autoencoder="sd14", kind="gap_encoding", part="tail")
    assert rows[4][-2].replace("−", "-") == f"{100 * tail['gap']:.1f}"
    assert "ISIC-2019: head b (100); middle c (50); tail a (10) (images)." in text["md"]
    assert "sampling and of training" in text["html"]
    assert "Autoencoder & Gap" in render_gap_by_frequency(table.head(0), labels)["tex"]  # of a study without a decoder


def test_the_caption_says_what_the_intervals_are_of(table):
    both, alone = (table.assign(method=method) for method in ("sampling and training", "sampling only"))
    assert "whose variance is that of sampling and of training. The parts" in caption_of(both)
    assert "whose variance is that of sampling alone. The parts" in caption_of(alone)
    rare = both.assign(method=both["method"].where(both["part"] != "tail", "sampling only"))
    assert caption_of(rare) == caption_of(both).replace(
        "of training.", "of training (of parts with test images in fewer than three folds, of sampling alone)."
    )
    none = both.assign(method=both["method"].where(both["part"] != "tail", "n/a"))
    assert caption_of(none) == caption_of(both)


def test_two_classes_are_not_called_thirds(table):
    two = table[table["part"] != "middle"].assign(dataset="cardium")
    assert "The parts are thirds of the classes in order of their number of images. Lossless" in caption_of(table)
    said = "The parts are thirds of the classes in order of their number of images; two classes are head and tail. Loss"
    assert said in caption_of(pd.concat([table, two]))


def test_a_part_without_a_test_image_has_no_gap(study):
    metrics, images = study
    kept = images["isic2019"].label != 0
    columns = {name: getattr(images["isic2019"], name)[kept] for name in ("sample_id", "label", "fold", "group")}
    fewer = {"isic2019": images["isic2019"]._replace(**columns)}
    right = [run["right"][kept[images["isic2019"].fold == run["fold"]]] for run in metrics.to_dict("records")]
    metrics = metrics.assign(right=pd.Series(right, index=metrics.index))
    found = gap_by_frequency(metrics, fewer, CARDS, RECIPES, DECOMPOSED, {})
    assert set(found.loc[found["part"] == "tail", "gap"]) == {"n/a"}
    assert "n/a" not in set(found.loc[found["part"] == "head", "gap"])
