"""Tests of Table 4's rows and the decomposed gap, against scipy and by hand."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from learnability.errors import InputError
from learnability.significance import ablation as ablation_tests
from learnability.significance.decomposition import gap_decomposition
from learnability.significance.group_level import excess, group_test
from learnability.significance.macro import with_macro
from learnability.significance.predictions import paired_rows
from learnability.significance.rows import TEST_COLUMNS, holm, of_first_recipe
from learnability.storage.contracts import write_csv
from tests import findings
from tests.grouped import answered
from tests.scored_runs import SCORES, of, only, scored_runs, without

DATASETS = ("ct_rate", "isic2019", "cardium")
ROWS = {name: row for name, row in findings.ROWS.items() if name != "noise_conditioned"}
FLUX2 = [("flux2", space, recipe) for space, recipe in ROWS.values()]
BOTH = [*FLUX2, *(("sd14", space, recipe) for space, recipe in ROWS.values())]


def macro_of(metrics, *cell):
    """The mean over datasets within each fold."""
    return np.mean([of(metrics, dataset, *cell) for dataset in DATASETS], axis=0)


def corrected(differences, ratio):
    """Nadeau and Bengio's t, its p-value and half of the 95 % interval, by hand."""
    error = np.std(differences, ddof=1) * np.sqrt(1 / len(differences) + ratio)
    t = np.mean(differences) / error
    return t, 2 * stats.t.sf(abs(t), len(differences) - 1), error * stats.t.ppf(0.975, len(differences) - 1)


# ---- The macro average ----


def test_macro_is_the_mean_over_datasets_within_a_fold():
    metrics = scored_runs(FLUX2)
    frame = with_macro(metrics)
    assert len(frame) == len(metrics) + len(FLUX2) * 5
    for cell in FLUX2:
        assert of(frame, "macro", *cell) == pytest.approx(macro_of(metrics, *cell))
    macro = frame[frame["dataset"] == "macro"]
    assert set(macro["role"]) == {"family"}
    of_fold = metrics[metrics["fold"] == 3].drop_duplicates("dataset")
    assert set(macro.loc[macro["fold"] == 3, "n_test"]) == {of_fold["n_test"].mean()}
    assert set(macro.loc[macro["fold"] == 3, "n_train"].round(9)) == {round(of_fold["n_train"].mean(), 9)}


def test_macro_is_of_autoencoders_that_are_on_all_datasets():
    frame = with_macro(without(scored_runs(BOTH), dataset="cardium", autoencoder="sd14"))
    assert set(frame.loc[frame["dataset"] == "macro", "autoencoder"]) == {"flux2"}
    assert "sd14" in set(frame["autoencoder"])


def test_macro_has_the_same_bytes_in_any_order_of_datasets():
    metrics = scored_runs(FLUX2[:1], datasets="abcd", folds=[0])
    # In double precision their mean differs in the last bit when they are added from the other end.
    metrics["mcc"] = [0.05, 0.17, 0.69, 0.53]
    expected, found = (with_macro(frame).query("dataset == 'macro'") for frame in (metrics, metrics[::-1]))
    pd.testing.assert_frame_equal(expected, found, check_exact=True)


def test_a_run_that_the_macro_average_lacks_is_named():
    gone = {"dataset": "isic2019", "autoencoder": "flux2", "space": "latent", "recipe": "tuned", "fold": 2}
    named = "dataset isic2019, autoencoder flux2, space latent, recipe tuned, fold 2 is missing"
    with pytest.raises(InputError, match=named):
        with_macro(without(scored_runs(FLUX2), **gone))


# ---- Rows of Table 4 ----


def test_ablation_compares_each_row_with_both_references():
    table = ablation_tests.ablation(scored_runs(BOTH), ROWS)
    assert list(table.columns) == TEST_COLUMNS
    others = ["reconstruction", "distilled", "tuned"]
    expected = {f"{row}_vs_latent" for row in others} | {f"{row}_vs_reconstruction" for row in ("latent", *others[1:])}
    assert set(table["comparison"]) == expected
    assert len(table) == len(expected) * 2 * 3 * 2 * (len(DATASETS) + 1)  # autoencoders, metrics, tests, datasets
    assert not table.isna().any(axis=None)


def test_ablation_is_scipys_paired_t_and_the_corrected_one_by_hand():
    metrics = scored_runs(FLUX2)
    table = ablation_tests.ablation(metrics, ROWS)
    frame = with_macro(metrics)
    for dataset, metric in product((*DATASETS, "macro"), SCORES):
        first = of(frame, dataset, "flux2", "latent", "tuned", metric)
        second = of(frame, dataset, "flux2", "reconstruction", "image", metric)
        label = {"comparison": "tuned_vs_reconstruction", "dataset": dataset, "metric": metric}
        row, truth = only(table, test="paired_t", **label), stats.ttest_rel(first, second)
        assert (row["statistic"], row["p"], row["n"]) == pytest.approx((truth.statistic, truth.pvalue, 5))
        assert row["effect"] == pytest.approx(np.mean(first - second))
        sizes = frame[(frame["dataset"] == dataset) & (frame["recipe"] == "tuned")]
        t, p, half = corrected(first - second, (sizes["n_test"] / sizes["n_train"]).mean())
        row = only(table, test="corrected_paired_t", **label)
        assert (row["statistic"], row["p"]) == pytest.approx((t, p))
        assert (row["ci_high"] - row["ci_low"]) / 2 == pytest.approx(half)


def test_ablation_corrects_over_rows_and_datasets_and_the_macro_averages_apart():
    table = ablation_tests.ablation(scored_runs(BOTH), ROWS)
    for test, metric, reference in product(("paired_t", "corrected_paired_t"), SCORES, ("latent", "reconstruction")):
        family = table[(table["test"] == test) & (table["metric"] == metric)]
        family = family[family["comparison"].str.endswith(f"_vs_{reference}")]
        macro = family["dataset"] == "macro"
        assert (len(family[~macro]), len(family[macro])) == (3 * 3 * 2, 3 * 2)
        for part in (family[macro], family[~macro]):
            assert list(part["p_corrected"]) == holm(list(part["p"]))
            assert set(part["correction"]) == {"holm"}


def test_ablation_of_a_control_is_tested_and_stays_out_of_the_family():
    controls = [("unshuffle", space, recipe) for space, recipe in ROWS.values()]
    table = ablation_tests.ablation(scored_runs([*FLUX2, *controls]), ROWS)
    expected = ablation_tests.ablation(scored_runs(FLUX2), ROWS)
    families = table[table["role"] == "family"].reset_index(drop=True)
    pd.testing.assert_frame_equal(families, expected)
    assert set(table.loc[table["role"] == "control", "p_corrected"]) == {"n/a"}


def test_ablation_of_one_fold_has_effects_and_no_p():
    table = ablation_tests.ablation(scored_runs(FLUX2, folds=[2]), ROWS)
    assert set(table["p"]) == set(table["p_corrected"]) == {"n/a"}
    assert all(np.isfinite(effect) for effect in table["effect"])


def test_ablation_without_reconstructions_compares_with_the_latent_row_alone():
    rows = {name: row for name, row in ROWS.items() if name != "reconstruction"}
    metrics = without(scored_runs(FLUX2), space="reconstruction")
    assert set(ablation_tests.ablation(metrics, rows)["comparison"]) == {"distilled_vs_latent", "tuned_vs_latent"}


def test_ablation_names_a_row_that_was_not_run():
    named = "dataset ct_rate, autoencoder flux2, space latent, recipe tuned has no runs"
    with pytest.raises(InputError, match=named):
        ablation_tests.ablation(without(scored_runs(FLUX2), recipe="tuned"), ROWS)


def test_ablation_names_a_fold_that_one_row_lacks():
    named = r"dataset ct_rate, autoencoder flux2, space latent, recipe tuned lacks fold\(s\) \[1\]"
    with pytest.raises(InputError, match=named):
        ablation_tests.ablation(without(scored_runs(FLUX2), recipe="tuned", fold=1), ROWS)


def test_ablation_names_a_run_that_is_there_twice():
    metrics = scored_runs(FLUX2)
    with pytest.raises(InputError, match=r"flux2, space latent, recipe tuned, fold 4: appears twice"):
        ablation_tests.ablation(pd.concat([metrics, metrics.query("recipe == 'tuned'")[4:5]]), ROWS)


# ---- The decomposed gap ----

RECIPES = {"image": "image", "latent": "latent", "matched": {"matched": ["matched"]}}
CONTROLS = {"flux2": "unshuffle"}
GAP_CELLS = [
    ("original", "image", "matched"),
    *((name, "reconstruction", recipe) for name in ("flux2", "medvae") for recipe in ("image", "matched")),
    *((name, "latent", recipe) for name in ("flux2", "medvae") for recipe in ("latent", "matched")),
    ("unshuffle", "latent", "matched"),
]


def decomposition(metrics, recipes, controls):
    """The decomposition of runs whose answers do not matter to the test."""
    runs, images = answered(metrics)
    return gap_decomposition(runs, recipes, controls, images)


def test_gaps_by_hand():
    metrics, images = answered(scored_runs(GAP_CELLS))
    table = gap_decomposition(metrics, RECIPES, CONTROLS, images)
    gaps = ["gap_paper", "gap_matched", "gap_control", "gap_encoding"]
    ends = [f"{gap}{end}" for gap in gaps for end in ("", "_ci_low", "_ci_high", "_p", "_df")]
    labels = ["dataset", "autoencoder", "recipe", "trainings", "metric", "role", "control", "n", "method"]
    assert list(table.columns) == [*labels, *ends, "gap_encoding_p_corrected"]
    assert (set(table["recipe"]), set(table["trainings"])) == ({"matched"}, {1})
    assert len(table) == len(DATASETS) * 2 * 3 + len(DATASETS)  # and a mean of each dataset
    assert not table.isna().any(axis=None)
    for dataset, metric in product(DATASETS, SCORES):

        def score(autoencoder, space, recipe, cell=(dataset, metric)):
            return of(metrics, cell[0], autoencoder, space, recipe, cell[1])

        paper = score("flux2", "reconstruction", "image") - score("flux2", "latent", "latent")
        matched = score("flux2", "reconstruction", "matched") - score("flux2", "latent", "matched")
        control = score("original", "image", "matched") - score("unshuffle", "latent", "matched")
        row = only(table, dataset=dataset, autoencoder="flux2", metric=metric)
        sizes = metrics[metrics["dataset"] == dataset].head(5)
        ratio = (sizes["n_test"] / sizes["n_train"]).mean()
        for gap, differences in zip(gaps, [paper, matched, control, matched - control], strict=True):
            assert row[gap] == pytest.approx(differences.mean(), abs=1e-12), gap
            if metric != "balanced_accuracy":
                p, half = corrected(differences, ratio)[1:]
                found = [row[gap] - row[f"{gap}_ci_low"], row[f"{gap}_ci_high"] - row[gap], row[f"{gap}_p"]]
                assert found == pytest.approx([half, half, p]), gap
        assert row["gap_encoding"] == pytest.approx(row["gap_matched"] - row["gap_control"])
        assert (row["role"], row["control"], row["n"]) == ("family", "unshuffle", 5)


def test_intervals_of_balanced_accuracy_are_over_groups_and_of_the_encoding_image_by_image():
    metrics, images = answered(scored_runs(GAP_CELLS, datasets=["cardium"]))
    row = only(gap_decomposition(metrics, RECIPES, CONTROLS, images), autoencoder="flux2", metric="balanced_accuracy")
    runs = {key: part.set_index("fold") for key, part in metrics.groupby(["autoencoder", "space", "recipe"])}

    def gap(first, second):
        return paired_rows(images["cardium"], [runs[first]], [runs[second]])

    def matched(name):
        return gap((name, "reconstruction", "matched"), (name, "latent", "matched"))

    control = gap(("original", "image", "matched"), ("unshuffle", "latent", "matched"))
    encoding = matched("flux2")._replace(difference=matched("flux2").difference - control.difference)
    shared = excess([matched("flux2"), matched("medvae")])  # medvae has no control
    for name, rows, e in (
        ("gap_matched", matched("flux2"), shared), ("gap_control", control, excess([control])),
        ("gap_encoding", encoding, excess([encoding])),
    ):  # fmt: skip
        test = group_test(rows, e, 0.5)
        found = [row[f"{name}{end}"] for end in ("", "_ci_low", "_ci_high", "_p", "_df")]
        assert found == pytest.approx([test.effect, test.ci_low, test.ci_high, test.p, test.df]), name
    assert row["method"] == "sampling and training"
    metrics, images = answered(scored_runs(GAP_CELLS, datasets=["cardium"], folds=[0, 1]))
    table = gap_decomposition(metrics, RECIPES, CONTROLS, images)
    assert set(table.query("metric == 'balanced_accuracy'")["method"]) == {"sampling only"}


def test_an_autoencoder_without_a_control_has_no_gap_of_encoding(tmp_path):
    table = decomposition(scored_runs(GAP_CELLS), RECIPES, CONTROLS)
    row = only(table, dataset="cardium", autoencoder="medvae", metric="mcc")
    unknown = [column for column in table if column.startswith(("gap_control", "gap_encoding"))]
    assert len(unknown) == 11
    assert set(row[["control", *unknown]]) == {"n/a"}
    assert row["gap_paper_ci_low"] < row["gap_paper"] < row["gap_paper_ci_high"]
    write_csv(table, tmp_path / "gap.csv")


def test_gaps_of_one_fold_have_no_interval():
    table = decomposition(scored_runs(GAP_CELLS, folds=[0]), RECIPES, CONTROLS)
    row = only(table, dataset="cardium", autoencoder="flux2", metric="auc")
    assert {row[f"gap_{gap}_{end}"] for gap in ("paper", "encoding") for end in ("ci_low", "ci_high", "p")} == {"n/a"}
    assert np.isfinite(row["gap_encoding"])
    assert row["n"] == 1


def test_recipes_are_found_by_the_names_that_the_study_gives_them():
    metrics = scored_runs(GAP_CELLS)
    renamed = metrics.assign(recipe="my_" + metrics["recipe"])
    expected = decomposition(metrics, RECIPES, CONTROLS)
    names = {"image": "my_image", "latent": "my_latent", "matched": {"my_matched": ["my_matched"]}}
    found = decomposition(renamed, names, CONTROLS)
    assert set(found["recipe"]) == {"my_matched"}
    pd.testing.assert_frame_equal(found.drop(columns="recipe"), expected.drop(columns="recipe"))


MATCHED = [cell for cell in GAP_CELLS if cell[2] == "matched"]
TUNED, AGAIN = ([(*cell[:2], name) for cell in MATCHED] for name in ("matched_tuned", "again"))


def test_every_matched_recipe_has_the_rows_that_it_has_alone():
    metrics, images = answered(scored_runs([*GAP_CELLS, *TUNED]))
    names = {name: [name] for name in ("matched_tuned", "matched")}
    table = gap_decomposition(metrics, RECIPES | {"matched": names}, CONTROLS, images)
    assert len(table) == 2 * (len(DATASETS) * 2 * 3 + len(DATASETS))
    for name in names:
        alone = gap_decomposition(metrics, RECIPES | {"matched": {name: [name]}}, CONTROLS, images)
        own = table[table["recipe"] == name].reset_index(drop=True)
        pd.testing.assert_frame_equal(own, alone)
    assert set(of_first_recipe(table)["recipe"]) == {"matched_tuned"}
    tuned, once = (only(table, recipe=name, dataset="cardium", autoencoder="flux2", metric="auc") for name in names)
    assert tuned["gap_paper"] == once["gap_paper"]
    assert tuned["gap_matched"] != once["gap_matched"]


def test_without_the_recipes_of_table_1_all_but_their_gap_is_the_same():
    metrics, images = answered(scored_runs(GAP_CELLS))
    whole = gap_decomposition(metrics, RECIPES, CONTROLS, images)
    matched = gap_decomposition(metrics, {"matched": RECIPES["matched"]}, CONTROLS, images)
    paper = [column for column in whole if column.startswith("gap_paper")]
    assert set(matched[paper].to_numpy().ravel()) == {"n/a"}
    pd.testing.assert_frame_equal(matched.drop(columns=paper), whole.drop(columns=paper))


def test_replicates_are_averaged_fold_by_fold_and_image_by_image():
    metrics, images = answered(scored_runs([*GAP_CELLS, *AGAIN], datasets=["cardium"]))
    recipes = RECIPES | {"matched": {"matched": ["matched", "again"]}}
    table = gap_decomposition(metrics, recipes, CONTROLS, images)
    assert set(table["trainings"]) == {2}
    runs = {key: part.set_index("fold") for key, part in metrics.groupby(["autoencoder", "space", "recipe"])}

    def trainings(autoencoder, space):
        return [runs[autoencoder, space, recipe] for recipe in ("matched", "again")]

    sides = {"gap_matched": [trainings("flux2", space) for space in ("reconstruction", "latent")]}
    sides["gap_control"] = [trainings("original", "image"), trainings("unshuffle", "latent")]
    for gap, (first, second) in sides.items():
        for metric in SCORES:
            row = only(table, autoencoder="flux2", metric=metric)
            expected = np.mean([a[metric] - b[metric] for a, b in zip(first, second, strict=True)])
            assert row[gap] == pytest.approx(expected, abs=1e-12)
    row = only(table, autoencoder="flux2", metric="balanced_accuracy")
    paired = paired_rows(images["cardium"], *sides["gap_control"])
    test = group_test(paired, excess([paired]), 0.5)
    assert [row["gap_control_ci_low"], row["gap_control_p"]] == pytest.approx([test.ci_low, test.p])
    once = gap_decomposition(metrics, RECIPES, CONTROLS, images)
    assert row["gap_paper"] == only(once, autoencoder="flux2", metric="balanced_accuracy")["gap_paper"]


TWO = {"flux2": "unshuffle", "medvae": "unshuffle"}


def test_the_mean_over_the_families_of_a_dataset_by_hand():
    metrics, images = answered(scored_runs(GAP_CELLS))
    table = gap_decomposition(metrics, RECIPES, TWO, images)
    means = table[table["autoencoder"] == "n/a"]
    assert means["dataset"].tolist() == [*DATASETS]
    assert set(means["metric"]) == {"balanced_accuracy"}
    assert {*means["role"], *means["recipe"], *means["control"]} == {"family", "matched", "unshuffle"}
    assert (set(means["n"]), set(means["trainings"])) == ({5}, {1})
    for dataset in DATASETS:
        row = only(means, dataset=dataset)
        runs = metrics[metrics["dataset"] == dataset]
        runs = {key: part.set_index("fold") for key, part in runs.groupby(["autoencoder", "space", "recipe"])}

        def gap(first, second, of=(runs, images[dataset])):
            return paired_rows(of[1], [of[0][first]], [of[0][second]])

        control = gap(("original", "image", "matched"), ("unshuffle", "latent", "matched"))
        matched, paper = (
            [gap((name, "reconstruction", first), (name, "latent", second)) for name in TWO]
            for first, second in (("matched", "matched"), ("image", "latent"))
        )
        encoding = [rows._replace(difference=rows.difference - control.difference) for rows in matched]
        gaps = {"gap_paper": paper, "gap_matched": matched, "gap_control": [control], "gap_encoding": encoding}
        for name, cells in gaps.items():
            each = [only(table, dataset=dataset, autoencoder=other, metric="balanced_accuracy")[name] for other in TWO]
            mean = cells[0]._replace(difference=sum(cell.difference for cell in cells) / len(cells))
            test = group_test(mean, excess(cells), 0.5, 2.0)
            found = [row[f"{name}{end}"] for end in ("", "_ci_low", "_ci_high", "_p", "_df")]
            assert found[0] == pytest.approx(sum(each) / 2, abs=1e-12), name
            assert found == pytest.approx([test.effect, test.ci_low, test.ci_high, test.p, test.df]), name


def test_a_control_that_two_autoencoders_share_is_one_cell(monkeypatch):
    monkeypatch.setattr("learnability.significance.group_level.LEAST_ALONE", 50.0)  # so that it decides
    metrics, images = answered(scored_runs(GAP_CELLS, datasets=["cardium"]))
    shared, alone = (gap_decomposition(metrics, RECIPES, controls, images) for controls in (TWO, CONTROLS))
    rows = [only(table, autoencoder="flux2", metric="balanced_accuracy") for table in (shared, alone)]
    assert rows[0]["gap_control_ci_low"] == rows[1]["gap_control_ci_low"]
    assert rows[0]["gap_encoding_ci_low"] != rows[1]["gap_encoding_ci_low"]


def test_the_mean_has_the_gaps_that_every_family_has_and_no_control_in_it():
    metrics, images = answered(scored_runs(GAP_CELLS))
    table = gap_decomposition(metrics, RECIPES, CONTROLS, images)
    row = only(table, dataset="cardium", autoencoder="n/a")
    each = [only(table, dataset="cardium", autoencoder=name, metric="balanced_accuracy") for name in TWO]
    assert row["gap_matched"] == pytest.approx((each[0]["gap_matched"] + each[1]["gap_matched"]) / 2)
    assert {row["control"], row["gap_control"], row["gap_encoding"], row["gap_encoding_p"]} == {"n/a"}
    metrics.loc[metrics["autoencoder"] == "medvae", "role"] = "control"
    table = gap_decomposition(metrics, RECIPES, TWO, images)
    row = only(table, dataset="cardium", autoencoder="n/a")
    alone = only(table, dataset="cardium", autoencoder="flux2", metric="balanced_accuracy")
    same = [name for name in table if name not in ("autoencoder", "gap_encoding_p_corrected")]
    assert row[same].tolist() == alone[same].tolist()


def test_the_gap_of_the_encoding_is_corrected_over_the_families_of_all_datasets():
    metrics, images = answered(scored_runs([*GAP_CELLS, *TUNED]))
    names = {name: [name] for name in ("matched_tuned", "matched")}
    table = gap_decomposition(metrics, RECIPES | {"matched": names}, TWO, images)
    for recipe, metric in product(names, SCORES):
        cells = table[(table["recipe"] == recipe) & (table["metric"] == metric) & (table["autoencoder"] != "n/a")]
        cells = cells.sort_values("gap_encoding_p")
        expected, largest = [], 0.0
        for place, p in enumerate(cells["gap_encoding_p"]):
            largest = max(largest, min(1.0, (6 - place) * p))
            expected.append(largest)
        assert cells["gap_encoding_p_corrected"].tolist() == pytest.approx(expected)
    assert set(table.loc[table["autoencoder"] == "n/a", "gap_encoding_p_corrected"]) == {"n/a"}
    metrics.loc[metrics["autoencoder"] == "medvae", "role"] = "control"
    table = gap_decomposition(metrics, RECIPES, TWO, images).query("metric == 'balanced_accuracy'")
    assert set(table.loc[table["autoencoder"] == "medvae", "gap_encoding_p_corrected"]) == {"n/a"}
    cells = table[table["autoencoder"] == "flux2"].sort_values("gap_encoding_p")
    assert cells["gap_encoding_p_corrected"].iloc[0] == pytest.approx(min(1, 3 * cells["gap_encoding_p"].iloc[0]))


def test_the_gap_of_the_encoding_is_cut_at_two_and_no_other():
    metrics, images = answered(scored_runs(GAP_CELLS, datasets=["cardium"]))
    rng = np.random.default_rng(0)
    latent = (metrics["autoencoder"] == "flux2") & (metrics["space"] == "latent")
    seldom = (latent & (metrics["fold"] != 0)) | (metrics["autoencoder"] == "original")
    metrics["right"] = [rng.random(len(own)) < (0.01 if few else 0.99)
                        for own, few in zip(metrics["right"], seldom, strict=True)]  # fmt: skip
    table = gap_decomposition(metrics, RECIPES, CONTROLS, images)
    row = only(table, autoencoder="flux2", metric="balanced_accuracy")
    assert row["gap_encoding"] == pytest.approx(row["gap_matched"] - row["gap_control"])
    assert row["gap_encoding_ci_low"] < 1 < row["gap_encoding"] < row["gap_encoding_ci_high"] == 2.0
    assert row["gap_matched_ci_high"] == 1.0
    mean = only(gap_decomposition(metrics, RECIPES, TWO, images), autoencoder="n/a")
    assert 1 < mean["gap_encoding"] < mean["gap_encoding_ci_high"]


@pytest.mark.parametrize("cell", AGAIN[:2])
def test_a_replicate_that_a_gap_needs_is_named(cell):
    metrics = scored_runs([*GAP_CELLS, *AGAIN])
    fewer = without(metrics, dataset="isic2019", **dict(zip(("autoencoder", "space", "recipe"), cell, strict=True)))
    with pytest.raises(
        InputError, match="dataset isic2019, autoencoder {}, space {}, recipe again has no".format(*cell)
    ):
        decomposition(fewer, RECIPES | {"matched": {"matched": ["matched", "again"]}}, CONTROLS)


def test_a_control_has_no_row_though_it_has_reconstructions():
    metrics, images = answered(scored_runs([*GAP_CELLS, ("unshuffle", "reconstruction", "matched")]))
    fewer = without(metrics, autoencoder="unshuffle", space="reconstruction")
    expected = gap_decomposition(fewer, RECIPES, CONTROLS, images)
    pd.testing.assert_frame_equal(gap_decomposition(metrics, RECIPES, CONTROLS, images), expected)


@pytest.mark.parametrize(
    "cell",
    [
        ("original", "image", "matched"),
        ("unshuffle", "latent", "matched"),
        ("flux2", "reconstruction", "image"),
        ("flux2", "latent", "latent"),
        ("flux2", "latent", "matched"),
    ],
)
def test_a_run_that_a_gap_needs_is_named(cell):
    metrics, identity = scored_runs(GAP_CELLS), dict(zip(("autoencoder", "space", "recipe"), cell, strict=True))
    named = "dataset isic2019, autoencoder {}, space {}, recipe {}".format(*cell)
    with pytest.raises(InputError, match=f"{named} has no runs"):
        decomposition(without(metrics, dataset="isic2019", **identity), RECIPES, CONTROLS)
    with pytest.raises(InputError, match=rf"{named} lacks fold\(s\) \[3\]"):
        decomposition(without(metrics, dataset="isic2019", fold=3, **identity), RECIPES, CONTROLS)


def test_a_fold_that_both_sides_of_the_control_lack_is_named():
    metrics = scored_runs(GAP_CELLS)
    for autoencoder, space in (("original", "image"), ("unshuffle", "latent")):
        metrics = without(metrics, autoencoder=autoencoder, space=space, fold=0)
    with pytest.raises(InputError, match=r"autoencoder original, space image, recipe matched lacks fold\(s\) \[0\]"):
        decomposition(metrics, RECIPES, CONTROLS)


def test_without_matched_runs_there_is_nothing_to_decompose():
    table = decomposition(without(scored_runs(GAP_CELLS), recipe="matched"), RECIPES, CONTROLS)
    assert table.empty
    assert "gap_encoding" in table.columns
