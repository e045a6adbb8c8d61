"""Significance tests against scipy, hand calculation and brute-force enumeration."""

from itertools import permutations, product

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from learnability.autoencoders.lossy import psnr_of_encodings
from learnability.errors import InputError
from learnability.significance import correlation as correlation_tests
from learnability.significance import gap as gap_tests
from learnability.significance import ranks, t_tests
from learnability.significance.rows import holm
from tests.scored_runs import only

DATASETS = ("ct_rate", "isic2019", "mimic_cxr_lt", "cardium")
FAMILIES = ("sd14", "flux1", "flux2", "medvae", "medvae_ft")
COLUMNS = [
    "test",
    "comparison",
    "dataset",
    "autoencoder",
    "metric",
    "role",
    "n",
    "statistic",
    "p",
    "alternative",
    "method",
    "correction",
    "p_corrected",
    "effect",
    "ci_low",
    "ci_high",
]


def cell_runs(dataset, autoencoder, space, values, role="family", sizes=(600, 200, 200)):
    """The rows of one cell, one per fold; the three metrics differ by a factor."""
    return [
        {
            "dataset": dataset,
            "autoencoder": autoencoder,
            "role": role,
            "space": space,
            "recipe": "image" if space == "image" else "latent",
            "fold": fold,
            "balanced_accuracy": value,
            "auc": 0.5 + value / 2,
            "mcc": value / 3,
            "n_train": sizes[0],
            "n_validation": sizes[1],
            "n_test": sizes[2],
        }
        for fold, value in enumerate(values)
    ]


def study(datasets=DATASETS, families=FAMILIES, controls=(), n_folds=5, gap=0.1):
    """Metrics of a study in which each cell's scores depend only on its names."""
    rows = []
    for dataset in datasets:
        seeds = {name: sum(map(ord, dataset + name)) for name in ("original", *families, *controls)}
        noise = {name: np.random.default_rng(seed).normal(0, 0.02, (2, n_folds)) for name, seed in seeds.items()}
        rows += cell_runs(dataset, "original", "image", 0.6 + noise["original"][0], role="baseline")
        for name in (*families, *controls):
            role = "control" if name in controls else "family"
            rows += cell_runs(dataset, name, "reconstruction", 0.6 + noise[name][0], role)
            rows += cell_runs(dataset, name, "latent", 0.6 - gap + noise[name][1], role)
    return pd.DataFrame(rows)


def fidelity_of(metrics, seed=3):
    """One PSNR per autoencoder and dataset of a study."""
    cells = metrics.loc[metrics["space"] == "reconstruction", ["dataset", "autoencoder", "role"]].drop_duplicates()
    psnr = np.random.default_rng(seed).uniform(24, 42, len(cells))
    return cells.assign(psnr=psnr, ssim=0.95).reset_index(drop=True)


def one_cell(first, second, first_space="reconstruction", second_space="latent", sizes=(600, 200, 200)):
    """Metrics of a study with a single family cell."""
    second_name = "original" if second_space == "image" else "sd14"
    return pd.DataFrame(
        cell_runs("isic2019", "sd14", first_space, first, sizes=sizes)
        + cell_runs("isic2019", second_name, second_space, second, sizes=sizes)
    )


def scores(metrics, dataset, autoencoder, space, metric="balanced_accuracy"):
    """The scores of one cell in the order of the folds."""
    names = metrics[["dataset", "autoencoder", "space"]]
    return metrics[(names == [dataset, autoencoder, space]).all(axis=1)].sort_values("fold")[metric].to_numpy()


def all_tables(metrics, fidelity):
    """Every table of a study by name."""
    return {
        "latent_vs_reconstruction": gap_tests.latent_vs_reconstruction(metrics),
        "wilcoxon": gap_tests.wilcoxon(metrics),
        "equivalence": gap_tests.equivalence(metrics, 0.02),
        "finetuning": gap_tests.finetuning(metrics, [("medvae_ft", "medvae")]),
        "fidelity_vs_gap": gap_tests.fidelity_vs_gap(metrics, fidelity),
    }


# ---- t-tests over folds ----


def test_paired_t_is_that_of_scipy_in_every_cell_and_metric():
    metrics = study()
    table = gap_tests.latent_vs_reconstruction(metrics)
    assert len(table) == len(DATASETS) * len(FAMILIES) * 3 * 2
    for dataset, autoencoder, metric in product(DATASETS, FAMILIES, ("balanced_accuracy", "auc", "mcc")):
        row = only(table, test="paired_t", dataset=dataset, autoencoder=autoencoder, metric=metric)
        first = scores(metrics, dataset, autoencoder, "reconstruction", metric)
        second = scores(metrics, dataset, autoencoder, "latent", metric)
        truth = stats.ttest_rel(first, second)
        ends = truth.confidence_interval(0.95)
        assert [row["statistic"], row["p"], row["ci_low"], row["ci_high"]] == pytest.approx(
            [truth.statistic, truth.pvalue, *ends], rel=1e-9
        )
        assert row["effect"] == pytest.approx(first.mean() - second.mean())
        assert (row["comparison"], row["alternative"], row["n"]) == (
            "reconstruction_vs_latent",
            "two-sided",
            5,
        )


def test_corrected_t_by_hand():
    differences = [0.10, 0.14, 0.08, 0.12, 0.11]
    # mean 0.11; squared deviations 1, 9, 9, 1, 0 in units of 1e-4, so the variance is 20e-4 / 4.
    by_hand = 0.11 / np.sqrt(5e-4 * (1 / 5 + 200 / 600))
    result = t_tests.corrected_t(differences, 200 / 600)
    assert result["statistic"] == pytest.approx(by_hand)
    assert result["p"] == pytest.approx(2 * stats.t.sf(by_hand, 4))
    half = (result["ci_high"] - result["ci_low"]) / 2
    assert half == pytest.approx(stats.t.ppf(0.975, 4) * 0.11 / by_hand)
    assert (result["ci_low"] + result["ci_high"]) / 2 == pytest.approx(0.11)


def test_five_folds_of_60_20_20_widen_the_standard_error_by_1_633():
    differences = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    error = differences.std(ddof=1) / np.sqrt(5)
    differences += 20.1 * error
    plain, corrected = (t_tests.corrected_t(differences, ratio) for ratio in (0.0, 1 / 3))
    assert plain["statistic"] == pytest.approx(20.1)
    assert plain["statistic"] / corrected["statistic"] == pytest.approx(1.633, abs=5e-4)
    assert corrected["statistic"] == pytest.approx(12.3, abs=0.05)


def test_ratio_of_test_to_training_rows_is_the_mean_over_folds():
    metrics = one_cell([0.5, 0.7, 0.6], [0.4, 0.5, 0.55])
    for fold, (n_train, n_test) in enumerate([(600, 200), (500, 250), (400, 300)]):
        metrics.loc[metrics["fold"] == fold, ["n_train", "n_test"]] = (n_train, n_test)
    differences, ratio = [0.1, 0.2, 0.05], (1 / 3 + 1 / 2 + 3 / 4) / 3
    row = only(gap_tests.latent_vs_reconstruction(metrics), test="corrected_paired_t", metric="balanced_accuracy")
    by_hand = np.mean(differences) / (np.std(differences, ddof=1) * np.sqrt(1 / 3 + ratio))
    assert row["statistic"] == pytest.approx(by_hand)


def test_folds_are_paired_by_number_and_their_order_changes_no_digit():
    metrics = study()
    expected = gap_tests.latent_vs_reconstruction(metrics).to_csv()
    shuffled = metrics.groupby(["dataset", "autoencoder", "space"], sort=False).sample(frac=1, random_state=1)
    reverse = metrics.sort_values("fold", ascending=False, kind="stable")
    for moved in (shuffled, reverse):
        assert list(moved["fold"]) != list(metrics["fold"])
        assert gap_tests.latent_vs_reconstruction(moved).to_csv() == expected


# ---- Holm ----


def test_holm_by_hand():
    # Sorted .005 .01 .03 .04 times 4 3 2 1 is .02 .03 .06 .04, and the last may not fall below .06.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_holm_leaves_undefined_p_out_of_the_count():
    assert holm(["n/a", 0.02, 0.04]) == ["n/a", 0.04, 0.04]
    assert holm(["n/a", 0.02, 0.04], count=3) == ["n/a", 0.06, 0.08]


def test_holm_is_over_the_family_cells_of_one_test_and_metric():
    table = gap_tests.latent_vs_reconstruction(study(controls=("pixel_unshuffle_8",), gap=0.03))
    for _, group in table.groupby(["test", "metric"]):
        family, control = group[group["role"] == "family"], group[group["role"] == "control"]
        assert (len(family), len(control)) == (20, 4)
        assert list(family["p_corrected"]) == holm(list(family["p"]))
        assert set(family["correction"]) == {"holm"}
        assert set(control["correction"]) == set(control["p_corrected"]) == {"n/a"}


# ---- Signed ranks ----


def enumerated(differences):
    """Both tails of the positive-rank sum, from all 2^n sign flips."""
    nonzero = np.array([difference for difference in differences if difference != 0])
    ranks = stats.rankdata(abs(nonzero))
    flips = np.array(list(product([0, 1], repeat=len(ranks)))) @ ranks
    observed = ranks[nonzero > 0].sum()
    return (flips >= observed).mean(), (flips <= observed).mean()


@pytest.mark.parametrize(
    "differences",
    [
        [0.1],
        [0.0, 0.0, -0.2],
        [0.5, -0.5],
        [1.0, -1.0, 2.0, 2.0, 2.0, -3.0],
        [0.0, 1.0, 1.0, -1.0, 0.0, 4.0, 4.0, -5.0, 6.0, 6.0, 6.0],
        [-3.0, -3.0, -1.0, 2.0],
        list(np.round(np.random.default_rng(0).normal(0.4, 1, 14), 1)),
    ],
)
def test_signed_rank_is_the_enumeration_of_all_sign_flips(differences):
    greater, less = enumerated(differences)
    expected = {"greater": greater, "less": less, "two-sided": min(1.0, 2 * min(greater, less))}
    for alternative, p in expected.items():
        result = ranks.signed_rank(differences, alternative)
        assert result["p"] == pytest.approx(p, rel=1e-12)
        assert (result["method"], result["alternative"]) == ("exact", alternative)
        assert result["n"] == np.count_nonzero(differences)
        assert result["effect"] == pytest.approx(np.mean(differences))


@pytest.mark.parametrize("n", [5, 13, 22])
@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_signed_rank_without_ties_is_that_of_scipy(n, alternative):
    differences = np.random.default_rng(n).normal(0.3, 1, n)
    result = ranks.signed_rank(differences, alternative)
    truth = stats.wilcoxon(differences, alternative=alternative, method="exact")
    assert (result["p"], result["method"]) == (pytest.approx(truth.pvalue, rel=1e-12), "exact")
    assert result["statistic"] == stats.rankdata(abs(differences))[differences > 0].sum()


def test_twenty_positive_differences_give_one_in_two_to_the_twenty():
    differences = np.linspace(0.01, 0.28, 20)
    assert ranks.signed_rank(differences, "greater")["p"] == 1 / 2**20 == pytest.approx(9.54e-7, rel=1e-3)
    assert ranks.signed_rank(differences, "two-sided")["p"] == pytest.approx(1.91e-6, rel=2e-3)
    assert ranks.signed_rank(differences, "less")["p"] == 1.0


@pytest.mark.parametrize("decimals", [12, 1])
@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_above_22_differences_it_is_the_normal_approximation(decimals, alternative):
    differences = np.round(np.random.default_rng(5).normal(0.3, 1, 23), decimals)
    assert np.count_nonzero(differences) == 23
    assert (len(np.unique(abs(differences))) < 23) == (decimals == 1), "ties only where rounded"
    result = ranks.signed_rank(differences, alternative)
    truth = stats.wilcoxon(differences, alternative=alternative, method="asymptotic", correction=True)
    assert (result["p"], result["method"]) == (pytest.approx(truth.pvalue, rel=1e-9), "normal_approximation")


def test_zeros_do_not_count_towards_the_limit_of_exactness():
    differences = [*np.linspace(0.1, 1, 22), 0.0, 0.0]
    result = ranks.signed_rank(differences, "greater")
    assert (result["n"], result["p"], result["method"]) == (22, 1 / 2**22, "exact")


def test_wilcoxon_tests_fold_means_over_pairs_and_over_datasets():
    metrics = study(gap=0.01)
    table = gap_tests.wilcoxon(metrics)
    assert len(table) == 2 * (2 + 3)
    for second, alternatives in {
        "latent": ["two-sided", "greater"],
        "image": ["two-sided", "greater", "less"],
    }.items():
        means = np.array(
            [
                [
                    np.mean(
                        scores(metrics, dataset, family, "reconstruction")
                        - scores(metrics, dataset, "original" if second == "image" else family, second)
                    )
                    for family in FAMILIES
                ]
                for dataset in DATASETS
            ]
        )
        for test, differences in {
            "wilcoxon_pairs": means.ravel(),
            "wilcoxon_datasets": means.mean(axis=1),
        }.items():
            rows = table[(table["test"] == test) & (table["comparison"] == f"reconstruction_vs_{second}")]
            assert list(rows["alternative"]) == alternatives
            assert set(rows["n"]) == {differences.size}
            for _, row in rows.iterrows():
                truth = stats.wilcoxon(differences, alternative=row["alternative"], method="exact")
                assert row["p"] == pytest.approx(truth.pvalue)
                assert row["effect"] == pytest.approx(differences.mean())
                assert (row["dataset"], row["autoencoder"], row["role"], row["ci_low"]) == (
                    "n/a",
                    "n/a",
                    "family",
                    "n/a",
                )


def test_published_study_with_all_gaps_positive_gives_the_published_p():
    table = gap_tests.wilcoxon(study(gap=0.2))
    gap = {"comparison": "reconstruction_vs_latent", "alternative": "greater"}
    assert only(table, test="wilcoxon_pairs", **gap)["p"] == 1 / 2**20
    assert only(table, test="wilcoxon_datasets", **gap)["p"] == 1 / 16


# ---- Equivalence ----


def tost_of_scipy(differences, margin):
    """The larger p of two one-sided one-sample t-tests and its t."""
    lower = stats.ttest_1samp(differences, -margin, alternative="greater")
    upper = stats.ttest_1samp(differences, margin, alternative="less")
    worse = max((lower, upper), key=lambda test: test.pvalue)
    return worse.pvalue, worse.statistic


@pytest.mark.parametrize("margin", [0.02, 0.05])
def test_tost_is_two_one_sided_t_tests(margin):
    metrics = study(controls=("area_downsample",))
    table = gap_tests.equivalence(metrics, margin)
    by_dataset = []
    for dataset in DATASETS:
        image = scores(metrics, dataset, "original", "image")
        cells = {name: scores(metrics, dataset, name, "reconstruction") - image for name in FAMILIES}
        by_dataset.append(np.mean(list(cells.values())))
        for autoencoder, differences in cells.items():
            row = only(table, test="tost", dataset=dataset, autoencoder=autoencoder)
            assert (row["p"], row["statistic"]) == pytest.approx(tost_of_scipy(differences, margin))
            ends = stats.ttest_1samp(differences, 0).confidence_interval(0.90)
            assert (row["ci_low"], row["ci_high"]) == pytest.approx(tuple(ends))
            assert (row["method"], row["alternative"]) == (f"tost_margin_{margin}", "equivalence")
    row = only(table, test="tost_datasets")
    assert (row["p"], row["statistic"]) == pytest.approx(tost_of_scipy(by_dataset, margin))
    assert (row["n"], row["dataset"], row["correction"], row["p_corrected"]) == (4, "n/a", "n/a", "n/a")
    for test in ("tost", "tost_corrected"):
        family = table[(table["test"] == test) & (table["role"] == "family")]
        assert list(family["p_corrected"]) == holm(list(family["p"]))
        control = table[(table["test"] == test) & (table["role"] == "control")]
        assert len(control) == 4
        assert set(control["p_corrected"]) == {"n/a"}


@pytest.mark.parametrize("shift", [0.004, -0.004])
def test_corrected_tost_by_hand(shift):
    differences = np.array([-0.02, -0.01, 0.0, 0.01, 0.02]) + shift
    metrics = one_cell(0.6 + differences, [0.6] * 5, second_space="image")
    row = only(gap_tests.equivalence(metrics, 0.03), test="tost_corrected")
    error = np.std(differences, ddof=1) * np.sqrt(1 / 5 + 1 / 3)
    # The bound on the side of the mean is the nearer one and decides.
    assert row["statistic"] == pytest.approx(np.sign(shift) * (0.004 - 0.03) / error)
    assert row["p"] == pytest.approx(stats.t.sf((0.03 - 0.004) / error, 4))
    assert row["ci_high"] - row["ci_low"] == pytest.approx(2 * stats.t.ppf(0.95, 4) * error)


def test_difference_beyond_the_margin_is_not_equivalent():
    metrics = one_cell([0.70, 0.71, 0.69], [0.60, 0.605, 0.60], second_space="image")
    assert only(gap_tests.equivalence(metrics, 0.02), test="tost")["p"] > 0.95


@pytest.mark.parametrize("margin", [0.0, -0.02, float("nan")])
def test_margin_that_is_not_positive_is_refused(margin):
    with pytest.raises(InputError, match="margin"):
        gap_tests.equivalence(study(), margin)


# ---- Fine-tuning ----


def test_finetuning_compares_both_spaces_and_corrects_over_datasets():
    metrics = study()
    table = gap_tests.finetuning(metrics, [("medvae_ft", "medvae"), ("flux2", "flux1")])
    assert len(table) == 2 * 2 * 2 * len(DATASETS)
    for space, suffix in {"latent": "", "reconstruction": "_in_reconstruction"}.items():
        rows = table[(table["test"] == "paired_t") & (table["comparison"] == f"medvae_ft_vs_medvae{suffix}")]
        assert list(rows["dataset"]) == list(DATASETS)
        assert set(rows["autoencoder"]) == {"medvae_ft"}
        assert list(rows["p_corrected"]) == holm(list(rows["p"]))
        for dataset in DATASETS:
            tuned, base = (scores(metrics, dataset, name, space) for name in ("medvae_ft", "medvae"))
            truth = stats.ttest_rel(tuned, base)
            row = only(rows, dataset=dataset)
            assert (row["statistic"], row["p"]) == pytest.approx((truth.statistic, truth.pvalue))
            assert row["effect"] == pytest.approx(np.mean(tuned - base))
    ratio = table.query("test == 'paired_t'")["statistic"].to_numpy() / (
        table.query("test == 'corrected_paired_t'")["statistic"].to_numpy()
    )
    assert list(ratio) == pytest.approx([np.sqrt((1 / 5 + 1 / 3) * 5)] * len(ratio))


# ---- Correlations ----


def psnr_and_gaps(metrics, fidelity, leave_out=None):
    """PSNR and gap of the family cells, found without the code under test."""
    cells = fidelity[(fidelity["role"] == "family") & (fidelity["dataset"] != leave_out)]
    gaps = [
        np.mean(scores(metrics, dataset, name, "reconstruction") - scores(metrics, dataset, name, "latent"))
        for dataset, name in zip(cells["dataset"], cells["autoencoder"], strict=True)
    ]
    return cells["dataset"].to_numpy(), cells["psnr"].to_numpy(copy=True), np.array(gaps)


def test_correlations_over_all_cells_are_those_of_scipy():
    metrics = study()
    fidelity = fidelity_of(metrics)
    table = gap_tests.fidelity_vs_gap(metrics, fidelity)
    assert len(table) == 2 * (1 + 1 + len(DATASETS))
    for test, dataset in [("{}", "n/a"), *(("{}_leave_one_out", name) for name in DATASETS)]:
        _, psnr, gaps = psnr_and_gaps(metrics, fidelity, leave_out=dataset)
        pearson, spearman = stats.pearsonr(psnr, gaps), stats.spearmanr(psnr, gaps)
        for kind, truth in {"pearson": pearson, "spearman": spearman}.items():
            row = only(table, test=test.format(kind), dataset=dataset)
            assert row["statistic"] == pytest.approx(truth.statistic)
            assert (row["effect"], row["n"]) == (row["statistic"], 20 if dataset == "n/a" else 15)
            assert row["method"] == "exact_permutation_of_5_autoencoders"
        row = only(table, test=test.format("pearson"), dataset=dataset)
        ends = np.tanh(np.arctanh(pearson.statistic) + np.array([-1, 1]) * 1.959964 / np.sqrt(5 - 3))
        assert (row["ci_low"], row["ci_high"]) == pytest.approx(tuple(ends))
    assert set(table.loc[table["test"].str.startswith("spearman"), "ci_low"]) == {"n/a"}


def centred(datasets, psnr, gaps):
    """Both within their datasets."""
    means = [np.array([values[datasets == name].mean() for name in datasets]) for values in (psnr, gaps)]
    return psnr - means[0], gaps - means[1]


@pytest.mark.parametrize("kind", ["pearson", "spearman"])
@pytest.mark.parametrize("test", ["{}", "{}_within_dataset"])
def test_p_is_the_enumeration_of_autoencoders_that_change_places_on_all_datasets(kind, test):
    metrics = study()
    fidelity = fidelity_of(metrics)
    datasets, psnr, gaps = psnr_and_gaps(metrics, fidelity)
    correlated, found = {"pearson": stats.pearsonr, "spearman": stats.spearmanr}[kind], []
    for order in permutations(range(5)):
        moved = psnr.reshape(4, 5)[:, list(order)].ravel()  # a dataset has its five families in a row
        values = centred(datasets, moved, gaps) if "within" in test else (moved, gaps)
        found.append(correlated(*values).statistic)
    found = np.array(found)
    p = np.mean(abs(found - found.mean()) >= abs(found[0] - found.mean()) - 1e-9)
    row = only(gap_tests.fidelity_vs_gap(metrics, fidelity), test=test.format(kind))
    assert (row["statistic"], row["p"]) == pytest.approx((found[0], p))
    assert row["p"] * 120 == pytest.approx(round(row["p"] * 120))


def test_autoencoders_that_are_not_on_the_same_datasets_do_not_change_places():
    cells = pd.DataFrame(
        [("a", name) for name in "xyzw"] + [("b", name) for name in "xy"], columns=["dataset", "autoencoder"]
    )
    x, y = np.random.default_rng(3).normal(size=(2, 6))
    found = []
    for first, second in product(([0, 1], [1, 0]), ([2, 3], [3, 2])):  # x and y; z and w
        moved = x[[*first, *second, *(np.array(first) + 4)]]
        found.append(stats.pearsonr(moved, y).statistic)
    found = np.array(found)
    p = np.mean(abs(found - found.mean()) >= abs(found[0] - found.mean()) - 1e-9)
    result = correlation_tests.correlation("pearson", pd.Series(x), pd.Series(y), cells)
    assert (result["statistic"], result["p"]) == pytest.approx((found[0], p))


@pytest.mark.parametrize(("n", "p"), [(3, 1 / 3), (4, 1 / 12), (5, 1 / 60)])
def test_a_perfect_order_of_few_has_the_exact_p(n, p):
    x = pd.Series(np.arange(n, dtype=float))
    assert correlation_tests.correlation("spearman", x, np.exp(x), of_one_dataset(n))["p"] == pytest.approx(p)


@pytest.mark.parametrize("n", [4, 7])
def test_spearman_of_one_dataset_is_scipys_exact_permutation_test(n):
    x, y = np.random.default_rng(n).normal(size=(2, n))
    result = correlation_tests.correlation("spearman", pd.Series(x), pd.Series(y), of_one_dataset(n))
    truth = stats.permutation_test(
        (x,), lambda values: stats.spearmanr(values, y).statistic, permutation_type="pairings", n_resamples=np.inf
    )
    assert (result["statistic"], result["p"]) == pytest.approx((truth.statistic, truth.pvalue))


def test_of_many_autoencoders_permutations_are_drawn_the_same_every_time():
    x, y = np.random.default_rng(1).normal(size=(2, 12))
    result = correlation_tests.correlation("pearson", pd.Series(x), pd.Series(y), of_one_dataset(12))
    assert result["method"] == "drawn_permutation_of_12_autoencoders"
    assert result["p"] == pytest.approx(stats.pearsonr(x, y).pvalue, abs=0.02)
    assert result == correlation_tests.correlation("pearson", pd.Series(x), pd.Series(y), of_one_dataset(12))
    found = correlation_tests.correlation("pearson", pd.Series(x), pd.Series(2 * x), of_one_dataset(12))
    assert 0 < found["p"] < 1e-4


def of_one_dataset(n):
    return pd.DataFrame({"dataset": "isic2019", "autoencoder": [f"a{i}" for i in range(n)]})


def test_autoencoders_with_effects_of_their_own_are_no_evidence():
    """PSNR and gap of five autoencoders are drawn once for four datasets, so pairs are not independent."""
    rng, found = np.random.default_rng(0), []
    cells = pd.DataFrame(product("abcd", "vwxyz"), columns=["dataset", "autoencoder"])
    for _ in range(400):
        own = rng.normal(size=(2, 5))
        x, y = (np.tile(values, 4) + rng.normal(0, 0.5, 20) for values in own)
        result = correlation_tests.correlation("pearson", pd.Series(x), pd.Series(y), cells)
        found.append((result["p"], stats.pearsonr(x, y).pvalue))
    exact, naive = (np.array(found) < 0.05).mean(axis=0)
    assert naive > 0.2
    assert 0.02 < exact < 0.085


def test_lossless_cells_and_single_cells_of_a_dataset_are_left_out_where_they_say_nothing():
    metrics = study()
    fidelity = fidelity_of(metrics)
    fidelity.loc[(fidelity["dataset"] == "cardium") & (fidelity["autoencoder"] != "sd14"), "psnr"] = np.inf
    table = gap_tests.fidelity_vs_gap(metrics, fidelity)
    assert only(table, test="pearson")["n"] == 16
    assert only(table, test="pearson_within_dataset")["n"] == 15


def test_an_image_that_came_back_identical_takes_no_pair_out_of_the_correlation():
    key = {"dataset": "isic2019", "role": "family"}
    images = pd.DataFrame(
        [key | {"autoencoder": name, "sample_id": f"s{i}", "psnr": psnr, "ssim": 0.9}
         for name, values in {"sd14": (np.inf, 30.0, 31.0), "flux1": (np.inf, np.inf)}.items()
         for i, psnr in enumerate(values)]
    )  # fmt: skip
    found = psnr_of_encodings(images)
    assert found[["autoencoder", "psnr"]].to_numpy().tolist() == [["sd14", 30.5], ["flux1", np.inf]]
    assert list(found) == ["dataset", "autoencoder", "role", "psnr"]
    assert psnr_of_encodings(images.head(0)).empty


def test_perfect_correlation_has_no_interval_and_no_warning():
    x = pd.Series([1.0, 2.0, 3.0, 4.0])
    result = correlation_tests.correlation("pearson", x, 2 * x, of_one_dataset(4))
    assert (result["statistic"], result["p"]) == (pytest.approx(1.0), pytest.approx(1 / 12))
    assert "ci_low" not in result


# ---- Degenerate data ----


@pytest.mark.parametrize("test", ["paired_t", "corrected_paired_t"])
@pytest.mark.parametrize(
    ("reconstruction", "latent", "expected"),
    [
        ([0.5, 0.6, 0.7], [0.5, 0.6, 0.7], (0.0, 1.0, 0.0)),
        # The differences are 0.1 in writing and unequal in the last bit.
        ([0.3, 0.4, 0.8], [0.2, 0.3, 0.7], ("n/a", "n/a", pytest.approx(0.1))),
        ([0.5], [0.4], ("n/a", "n/a", pytest.approx(0.1))),
        ([0.5], [0.5], ("n/a", "n/a", 0.0)),
    ],
)
def test_t_tests_say_so_where_t_is_undefined(test, reconstruction, latent, expected):
    table = gap_tests.latent_vs_reconstruction(one_cell(reconstruction, latent))
    row = only(table, test=test, metric="balanced_accuracy")
    assert (row["statistic"], row["p"], row["effect"]) == expected
    assert (row["method"], row["ci_low"], row["ci_high"]) == ("degenerate", "n/a", "n/a")
    assert row["p_corrected"] == row["p"]


@pytest.mark.parametrize(
    ("reconstruction", "image"),
    [([0.3, 0.4, 0.8], [0.2, 0.3, 0.7]), ([0.5], [0.4]), ([0.5], [0.5])],
)
def test_equivalence_says_so_where_nothing_varies(reconstruction, image):
    table = gap_tests.equivalence(one_cell(reconstruction, image, second_space="image"), 0.02)
    assert list(table["test"]) == ["tost", "tost_corrected", "tost_datasets"]
    for column, value in {
        "method": "degenerate",
        "p": "n/a",
        "statistic": "n/a",
        "p_corrected": "n/a",
    }.items():
        assert set(table[column]) == {value}


def test_differences_that_are_all_zero_are_equivalent():
    cell = one_cell([0.3 - 0.2, 0.6, 0.7], [0.1, 0.6, 0.7], second_space="image")
    table = gap_tests.equivalence(cell, 0.02)
    for test in ("tost", "tost_corrected"):
        row = only(table, test=test)
        assert (row["p"], row["p_corrected"], row["effect"]) == (0.0, 0.0, 0.0)
        assert (row["statistic"], row["ci_low"]) == ("n/a", "n/a")


def test_two_folds_have_p_and_no_interval():
    differences = [0.1, 0.14]
    for result in (t_tests.corrected_t(differences, 1 / 3), t_tests.tost(differences, 0.2)):
        assert 0 < result["p"] < 1
        assert "ci_low" not in result
    assert t_tests.corrected_t(differences)["p"] == pytest.approx(stats.ttest_1samp(differences, 0).pvalue)
    assert t_tests.corrected_t([*differences, 0.11])["ci_low"] > 0
    for name, table in all_tables(study(n_folds=2), fidelity_of(study())).items():
        over_folds = table[table["n"].eq(2)]
        assert set(over_folds["ci_low"]) | set(over_folds["ci_high"]) <= {"n/a"}, name


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_signed_ranks_of_differences_that_are_equal_but_for_rounding(alternative):
    exact = [0.1, 0.1, -0.1, 0.2, 0.0, -0.3, 0.4]
    rounded = [0.3 - 0.2, 0.1, -(0.8 - 0.7), 0.3 - 0.1, 0.3 - 0.2 - 0.1, -0.3, 0.4 + 1e-13]
    assert len(set(np.abs(rounded))) == 7  # otherwise there are no ties
    found, expected = (ranks.signed_rank(values, alternative) for values in (rounded, exact))
    assert (found["p"], found["statistic"], found["n"]) == (expected["p"], expected["statistic"], 6)
    truth = stats.permutation_test(
        (np.array([0.1, 0.1, -0.1, 0.2, -0.3, 0.4]),), lambda x: stats.rankdata(np.abs(x).round(9))[x > 0].sum(),
        permutation_type="samples", alternative=alternative, n_resamples=np.inf, vectorized=False,
    )  # fmt: skip
    assert found["p"] == pytest.approx(truth.pvalue)


def test_signed_rank_says_so_where_all_differences_are_zero():
    for alternative in ("two-sided", "greater", "less"):
        result = ranks.signed_rank([0.0, 0.0], alternative)
        assert (result["n"], result["p"], result["effect"], result["method"]) == (0, 1.0, 0.0, "degenerate")


@pytest.mark.parametrize(
    ("x", "y"), [([1.0, 2.0], [3.0, 1.0]), ([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]), ([1.0, 2.0, 3.0], [0.1] * 3)]
)
@pytest.mark.parametrize("kind", ["spearman", "pearson"])
def test_correlation_of_few_or_constant_values_is_undefined(kind, x, y):
    result = correlation_tests.correlation(kind, pd.Series(x), pd.Series(y), of_one_dataset(len(x)))
    assert result == {"n": len(x), "alternative": "two-sided", "method": "degenerate"}


def test_three_pairs_have_a_correlation_but_no_interval():
    x, y = pd.Series([1.0, 2.0, 4.0]), pd.Series([1.0, 3.0, 2.0])
    result = correlation_tests.correlation("pearson", x, y, of_one_dataset(3))
    assert result["statistic"] == pytest.approx(stats.pearsonr(x, y).statistic)
    assert "ci_low" not in result


def test_study_of_one_dataset_and_two_autoencoders_says_what_it_cannot_test():
    metrics = study(("isic2019",), ("medvae", "medvae_ft"), n_folds=2)
    for name, table in all_tables(metrics, fidelity_of(metrics)).items():
        assert len(table), name
        assert not table.isna().any(axis=None)
    table = gap_tests.fidelity_vs_gap(metrics, fidelity_of(metrics))
    assert set(table["method"]) == {"degenerate"}
    assert set(table["p"]) == set(table["effect"]) == {"n/a"}


# ---- What goes in and what comes out ----


def test_every_table_has_the_columns_and_no_nan():
    metrics = study(controls=("pixel_unshuffle_8",))
    fidelity = fidelity_of(metrics)
    fidelity.loc[fidelity["role"] == "control", "psnr"] = np.inf
    # One cell without a gap and one with the same gap in every fold.
    image_like = metrics["autoencoder"].eq("sd14") & metrics["dataset"].eq("cardium")
    metrics.loc[image_like, ["balanced_accuracy", "auc", "mcc"]] = 0.5
    for name, table in all_tables(metrics, fidelity).items():
        assert list(table.columns) == COLUMNS, name
        assert set(table.dtypes) == {np.dtype(object)}, name
        assert not table.isna().any(axis=None), name
        assert len(table), name
        for column in ("n", "statistic", "p", "p_corrected", "effect", "ci_low", "ci_high"):
            assert all(value == "n/a" or np.isfinite(value) for value in table[column]), (name, column)


def test_controls_do_not_change_a_result_over_families():
    without = study(gap=0.03)
    controlled = study(gap=0.03, controls=("pixel_unshuffle_8", "area_downsample"))
    # A control so unlike the rest that it would show.
    controlled.loc[controlled["role"] == "control", "balanced_accuracy"] *= 0.1
    fidelity = fidelity_of(without)
    controls = [(dataset, "area_downsample", "control", 5.0, 0.1) for dataset in DATASETS]
    more_fidelity = pd.concat([fidelity, pd.DataFrame(controls, columns=fidelity.columns)])
    expected, tables = all_tables(without, fidelity), all_tables(controlled, more_fidelity)
    for name, table in tables.items():
        families = table[table["role"] == "family"].reset_index(drop=True)
        pd.testing.assert_frame_equal(families, expected[name], obj=name)
    assert set(tables["latent_vs_reconstruction"]["role"]) == {"family", "control"}
    assert set(tables["equivalence"]["role"]) == {"family", "control"}


@pytest.mark.parametrize("space", ["latent", "reconstruction", "image"])
def test_a_missing_fold_is_an_error_that_names_the_cell(space):
    metrics = study(("isic2019",), ("sd14",))
    autoencoder = "original" if space == "image" else "sd14"
    gone = (metrics["space"] == space) & (metrics["fold"] == 3)
    name = rf"isic2019.*{autoencoder}.*{space}.*\[3\]"
    with pytest.raises(InputError, match=name):
        gap_tests.wilcoxon(metrics[~gone])
    tested = gap_tests.equivalence if space == "image" else gap_tests.latent_vs_reconstruction
    with pytest.raises(InputError, match=name):
        tested(metrics[~gone], *([0.02] if space == "image" else []))


def test_a_missing_fold_of_the_base_is_an_error_that_names_it():
    metrics = study(("isic2019",))
    gone = (metrics["autoencoder"] == "medvae") & (metrics["space"] == "latent") & (metrics["fold"] == 0)
    with pytest.raises(InputError, match=r"isic2019.*medvae, space latent.*\[0\]"):
        gap_tests.finetuning(metrics[~gone], [("medvae_ft", "medvae")])


def test_a_run_that_is_there_twice_or_has_no_score_is_an_error():
    metrics = study(("isic2019",), ("sd14",))
    with pytest.raises(InputError, match=r"isic2019.*sd14.*latent.*fold 4.*twice"):
        gap_tests.wilcoxon(pd.concat([metrics, metrics.tail(1)], ignore_index=True))
    metrics.loc[metrics.index[-1], "balanced_accuracy"] = np.nan
    with pytest.raises(InputError, match=r"isic2019.*sd14.*latent.*fold 4.*no balanced_accuracy"):
        gap_tests.latent_vs_reconstruction(metrics)


def test_fidelity_that_is_there_twice_or_missing_is_an_error():
    metrics = study(("isic2019",), ("sd14", "flux1"))
    fidelity = fidelity_of(metrics)
    with pytest.raises(InputError, match=r"isic2019.*sd14.*twice"):
        gap_tests.fidelity_vs_gap(metrics, pd.concat([fidelity, fidelity.head(1)]))
    with pytest.raises(InputError, match=r"isic2019.*sd14.*no psnr"):
        gap_tests.fidelity_vs_gap(metrics, fidelity.assign(psnr=np.nan))


@pytest.mark.parametrize(
    ("gone", "empty"),
    [
        ("latent", {"latent_vs_reconstruction", "fidelity_vs_gap"}),
        ("image", {"equivalence"}),
        ("reconstruction", {"latent_vs_reconstruction", "wilcoxon", "equivalence", "fidelity_vs_gap"}),
    ],
)
def test_a_study_without_a_space_skips_what_needs_it(gone, empty):
    metrics = study()
    tables = all_tables(metrics[metrics["space"] != gone], fidelity_of(metrics))
    assert {name for name, table in tables.items() if table.empty} == empty
    assert all(list(table.columns) == COLUMNS for table in tables.values())
    if gone == "latent":
        assert set(tables["wilcoxon"]["comparison"]) == {"reconstruction_vs_image"}
        assert set(tables["finetuning"]["comparison"]) == {"medvae_ft_vs_medvae_in_reconstruction"}


def test_a_cell_without_latents_is_skipped_alone():
    metrics = study()
    gone = (metrics["autoencoder"] == "flux1") & (metrics["space"] == "latent") & (metrics["dataset"] == "cardium")
    table = gap_tests.latent_vs_reconstruction(metrics[~gone])
    assert len(table) == 19 * 3 * 2
    assert table[(table["autoencoder"] == "flux1") & (table["dataset"] == "cardium")].empty


def test_no_runs_and_no_pairs_give_empty_tables():
    metrics = study()
    assert gap_tests.finetuning(metrics, []).empty
    tables = all_tables(metrics.head(0), fidelity_of(metrics).head(0))
    assert all(table.empty and list(table.columns) == COLUMNS for table in tables.values())
    controls = metrics.assign(role=metrics["role"].replace("family", "control"))
    assert gap_tests.wilcoxon(controls).empty
    assert "tost_datasets" not in set(gap_tests.equivalence(controls, 0.02)["test"])
