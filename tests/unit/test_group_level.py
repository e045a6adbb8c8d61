"""The test over groups, against slow loops, closed forms and scikit-learn."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import balanced_accuracy_score

from learnability.significance import group_level
from learnability.significance.group_level import PairedRows, averaged, excess, group_test, study_test, training_overlap
from learnability.significance.rows import limit_of


def drawn(seed=0, groups=60, folds=5, classes=3, gap=0.0, mixed=True):
    """A cell whose two sides are right or wrong by chance: rows, labels and both predictions."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), rng.integers(1, 5, groups))
    fold = group % folds
    label = rng.integers(0, classes, len(group)) if mixed else (group // folds) % classes
    label[(fold == 1) & (label == classes - 1)] = 0  # a class that one fold has no image of
    right = rng.random((2, len(group))) < [[0.5 + gap], [0.5]]
    first, second = np.where(right, label, (label + 1) % classes)
    difference = (first == label).astype(float) - (second == label)
    return PairedRows(difference, label, fold, group), first, second


def test_effect_is_table_1s_gap():
    rows, first, second = drawn()
    missing = [fold for fold in range(5) if len(np.unique(rows.label[rows.fold == fold])) < 3]
    assert missing == [1]
    gaps = [
        balanced_accuracy_score(rows.label[rows.fold == fold], first[rows.fold == fold])
        - balanced_accuracy_score(rows.label[rows.fold == fold], second[rows.fold == fold])
        for fold in range(5)
    ]
    assert group_test(rows, excess([rows]), 0.5).effect == pytest.approx(np.mean(gaps), abs=1e-12)
    assert group_level.image_weights(rows.label, rows.fold).sum() == pytest.approx(1, abs=1e-12)


def sampled_by_loops(rows):
    """V_s and its degrees of freedom, written as the formulas are."""
    d, y, f, g = rows
    folds = np.unique(f)
    w = [1 / (len(folds) * len(np.unique(y[f == f[i]])) * sum((f == f[i]) & (y == y[i]))) for i in range(len(d))]
    w = np.array(w)
    m = {c: sum(w[y == c] * d[y == c]) / sum(w[y == c]) for c in np.unique(y)}

    def variance(member):
        groups = np.unique(g[member])
        r = [sum(w[i] * (d[i] - m[y[i]]) for i in np.flatnonzero(member & (g == group))) for group in groups]
        return (len(r) / (len(r) - 1) * sum(x**2 for x in r) if len(r) > 1 else 0.0), len(r)

    per_class = [variance(y == c) for c in m]
    df = sum(v for v, _ in per_class) ** 2 / sum(v**2 / (n - 1) for v, n in per_class if n > 1)
    return variance(np.full(len(d), True))[0], df


@pytest.mark.parametrize("mixed", [True, False])
def test_sampling_variance_is_that_of_a_slow_loop(mixed):
    rows = drawn(3, mixed=mixed)[0]
    variance, df = sampled_by_loops(rows)
    test = group_test(rows, None, 0.5)
    assert [test.variance_sampling, test.df_sampling] == pytest.approx([variance, df], rel=1e-10)
    assert test.n_groups == 60


def test_one_class_and_groups_of_one_image_give_students_t():
    difference = np.array([1.0, 0, 0, -1, 1, 1, 0, 1])
    zero = np.zeros(8, dtype=int)
    test = group_test(PairedRows(difference, zero, zero, np.arange(8)), None, 0.0)
    truth = stats.ttest_1samp(difference, 0)
    assert [test.statistic, test.p, test.df] == pytest.approx([truth.statistic, truth.pvalue, 7])
    assert [test.ci_low, test.ci_high] == pytest.approx([*truth.confidence_interval(0.95)])


def test_equal_images_in_a_group_count_once():
    rows = drawn(5, mixed=False)[0]
    even = rows.fold % 2 == 0
    once = PairedRows(*(part[even] for part in rows))
    twice = PairedRows(*(np.repeat(part, 2) for part in once))
    assert group_test(twice, None, 0.5)[:6] == pytest.approx(group_test(once, None, 0.5)[:6])


def test_training_variance_by_hand():
    rows = drawn(1)[0]
    by_fold = [PairedRows(*(part[rows.fold == fold] for part in rows)) for fold in range(5)]
    gaps = [np.mean([part.difference[part.label == c].mean() for c in np.unique(part.label)]) for part in by_fold]
    e = np.var(gaps, ddof=1) - np.mean([sampled_by_loops(part)[0] for part in by_fold])
    least = np.mean([sampled_by_loops(part)[0] for part in by_fold]) / 15
    assert excess([rows]) == pytest.approx(max(least, e), abs=1e-15)
    shifted = rows._replace(difference=rows.difference + 0.3 * np.array([-1, 1, 1, -1, 0])[rows.fold])
    gaps = gaps + 0.3 * np.array([-1, 1, 1, -1, 0])
    more = np.var(gaps, ddof=1) - np.mean([sampled_by_loops(part)[0] for part in by_fold])
    assert excess([shifted]) == pytest.approx(more, rel=1e-10)
    assert excess([rows, shifted]) == pytest.approx(max(0, (e + more) / 2), rel=1e-10)
    # Five folds whose training sets overlap by half: 1.2 e.
    test = group_test(shifted, more, 0.5)
    assert test.variance_training == pytest.approx(1.2 * more)
    v, n = test.variance_sampling, test.df_sampling
    assert test.df == pytest.approx((v + 1.2 * more) ** 2 / (v**2 / n + (1.2 * more) ** 2 / 4))
    assert test.statistic == pytest.approx(test.effect / np.sqrt(v + 1.2 * more))
    assert test.p == pytest.approx(2 * stats.t.sf(abs(test.statistic), test.df))
    assert test.method == "sampling and training"


def test_folds_that_differ_less_than_sampling_have_no_excess_and_a_lone_cell_the_least():
    rows = drawn(2)[0]
    level = {fold: group_level.sample(PairedRows(*(p[rows.fold == fold] for p in rows))).effect for fold in range(5)}
    equal = rows._replace(difference=rows.difference - np.array([level[fold] for fold in rows.fold]))
    assert excess([equal, equal]) == 0.0
    sampled = [group_level.sample(PairedRows(*(p[equal.fold == fold] for p in equal))).variance for fold in range(5)]
    assert excess([equal]) == pytest.approx(np.mean(sampled) / 15)
    assert group_test(equal, excess([equal]), 0.5).variance_training == pytest.approx(1.2 * np.mean(sampled) / 15)


def test_two_folds_are_sampling_only():
    rows = drawn(4, folds=2, gap=0.4)[0]
    assert excess([rows]) is None
    test = group_test(rows, None, 0.5)
    assert (test.method, test.variance_training, test.df) == ("sampling only", None, test.df_sampling)
    assert test.p < 0.05
    assert group_test(drawn(4, folds=3)[0], 0.0, 0.0).method == "sampling and training"


@pytest.mark.parametrize("difference", [0.0, 1.0])
def test_where_nothing_varies_there_is_no_verdict(difference):
    rows = drawn()[0]
    constant = rows._replace(difference=np.full(len(rows.label), difference))
    test = group_test(constant, excess([constant]), 0.5)
    assert test[:5] == (pytest.approx(difference, abs=1e-12), None, None, 0.0, 1.0)


def test_interval_stays_in_the_possible_range():
    rows = drawn(0, groups=8, gap=0.5)[0]
    test = group_test(rows, 1.0, 0.5)
    assert (test.ci_low, test.ci_high) == (-1.0, 1.0)
    half = stats.t.ppf(0.975, test.df) * np.sqrt(test.variance_sampling + 1.2)
    assert 2 < half - test.effect < half + test.effect < 4
    two, four = (group_test(rows, 1.0, 0.5, limit) for limit in (2.0, 4.0))
    assert (two.ci_low, two.ci_high) == (-2.0, 2.0)
    assert (four.ci_low, four.ci_high) == pytest.approx((test.effect - half, test.effect + half))
    assert study_test([two])[1:3] == (-1.0, 1.0)
    assert study_test([two], 4.0)[1:3] == pytest.approx((four.ci_low, four.ci_high))


@pytest.mark.parametrize(
    ("quantity", "limit"),
    [("latent", 1), ("gap", 1), ("gap_paper", 1), ("gap_control", 1), ("gap_encoding", 2), ("gain", 2),
     ("gain_vs_control", 4), ("gain_vs_rotate", 4), ("gain_vs_finetuning", 4)],
)  # fmt: skip
def test_the_largest_size_of_an_effect(quantity, limit):
    assert limit_of(quantity) == limit


def test_planted_gap_is_found_and_none_is_not():
    found = group_test(drawn(7, groups=400, gap=0.2)[0], 0.0, 0.5)
    assert found.ci_low > 0.1
    assert found.p < 1e-6
    assert found.effect == pytest.approx(0.2, abs=0.06)
    p = [group_test(drawn(seed, groups=100)[0], 0.0, 0.5).p for seed in range(400)]
    assert 0.02 < np.mean(np.array(p) < 0.05) < 0.08


def test_dataset_averages_every_image_over_autoencoders():
    cells = [drawn()[0]]
    cells += [cells[0]._replace(difference=np.roll(cells[0].difference, n)) for n in (1, 7)]
    together = averaged(cells)
    assert together.difference[4] == pytest.approx(np.mean([cell.difference[4] for cell in cells]))
    effects = [group_test(cell, None, 0.5).effect for cell in cells]
    assert group_test(together, None, 0.5).effect == pytest.approx(np.mean(effects), abs=1e-12)
    other = cells[0]._replace(label=cells[0].label[::-1])
    with pytest.raises(ValueError, match="labels, folds or groups"):
        averaged([cells[0], other])


def test_study_by_hand():
    tests = [group_test(drawn(seed)[0], 0.01 * seed, 0.5) for seed in (1, 2)]
    study = study_test(tests)
    parts = [(t.variance_sampling / 4, t.df_sampling) for t in tests] + [(t.variance_training / 4, 4) for t in tests]
    variance = sum(v for v, _ in parts)
    assert study.effect == pytest.approx((tests[0].effect + tests[1].effect) / 2)
    assert study.variance_sampling + study.variance_training == pytest.approx(variance)
    assert study.df == pytest.approx(variance**2 / sum(v**2 / df for v, df in parts))
    assert study.statistic == pytest.approx(study.effect / np.sqrt(variance))
    assert (study.n_groups, study.n_folds, study.method) == (120, 5, "sampling and training")
    assert study_test(tests[:1]) == pytest.approx(tests[0])
    two_folds = group_test(drawn(3, folds=2)[0], None, 0.5)
    assert study_test([*tests, two_folds]).method == "sampling only"


def test_overlap_of_training_groups():
    group = np.repeat(np.arange(50), 2)
    fold = group % 5
    assert training_overlap(group, fold, range(5), 5) == pytest.approx(0.5)
    assert training_overlap(group, fold, [0, 1], 5) == pytest.approx(2 / 3)
    assert training_overlap(group, group % 3, range(3), 3) == 0.0  # each trains on a third of its own
    assert training_overlap(group, fold, [2], 5) == 0.0
    # By definition, with folds of different sizes and images in no fold.
    fold = np.random.default_rng(0).integers(-1, 5, 50)[group]
    sets = [{g for g, f in zip(group, fold, strict=True) if f >= 0 and f not in (k, (k + 1) % 5)} for k in range(5)]
    pairs = [len(a & b) / np.sqrt(len(a) * len(b)) for a, b in combinations(sets, 2)]
    assert training_overlap(group, fold, range(5), 5) == pytest.approx(np.mean(pairs))
