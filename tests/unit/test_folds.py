"""Folds: a partition in which groups stay whole, classes keep their share, and leakage is refused."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import StratifiedGroupKFold

from learnability.datasets.folds import find_rare_classes, make_folds, warnings_of_folds
from learnability.errors import InputError
from learnability.storage.contracts import read_folds, split_rows, write_parquet


def invented_samples(counts, seed=0):
    """Samples with `counts` groups per class, one to four images a group, in shuffled order."""
    generator = np.random.default_rng(seed)
    rows = [
        (f"{name}{group}-{image}", label, name, f"{name}{group}")
        for label, (name, number) in enumerate(counts.items())
        for group in range(number)
        for image in range(generator.integers(1, 5))
    ]
    frame = pd.DataFrame(rows, columns=["sample_id", "label", "label_name", "group"])
    return frame.sample(frac=1, random_state=seed).reset_index(drop=True)


SAMPLES = invented_samples({"common": 120, "middling": 40, "seldom": 12})


def folds_of(samples, n_splits=5, seed=0, rare_classes="error"):
    return make_folds(samples, n_splits, seed, rare_classes, origin="datasets.invented")


def test_folds_are_a_partition_in_the_order_of_the_samples():
    folds = folds_of(SAMPLES)
    assert list(folds.columns) == ["sample_id", "fold"]
    assert folds["sample_id"].tolist() == SAMPLES["sample_id"].tolist()
    assert set(folds["fold"]) == {0, 1, 2, 3, 4}


def test_every_group_is_in_one_fold():
    groups_with_many = SAMPLES["group"].value_counts() > 1
    assert groups_with_many.sum() > 50  # otherwise this shows nothing
    assert (folds_of(SAMPLES)["fold"].groupby(SAMPLES["group"]).nunique() == 1).all()


def test_every_fold_has_its_share_of_every_class():
    table = pd.crosstab(folds_of(SAMPLES)["fold"], SAMPLES["label_name"])
    share = table / table.sum()
    assert share.to_numpy() == pytest.approx(0.2, abs=0.08)
    assert share["common"].to_numpy() == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize(("n_splits", "seed"), [(5, 0), (3, 7)])
def test_folds_are_those_of_scikit_learn(n_splits, seed):
    splitter = StratifiedGroupKFold(n_splits=n_splits, shuffle=True, random_state=seed)
    fold = folds_of(SAMPLES, n_splits, seed)["fold"].to_numpy()
    for k, (_, test) in enumerate(splitter.split(np.zeros(len(SAMPLES)), SAMPLES["label"], SAMPLES["group"])):
        assert np.array_equal(np.flatnonzero(fold == k), test)


def test_the_seed_decides_and_nothing_else():
    assert folds_of(SAMPLES).equals(folds_of(SAMPLES))
    assert not folds_of(SAMPLES).equals(folds_of(SAMPLES, seed=1))


def test_a_rare_class_stops_with_its_name_and_the_ways_out():
    samples = invented_samples({"common": 30, "scarce": 2, "rarest": 1})
    with pytest.raises(InputError) as caught:
        folds_of(samples)
    message = str(caught.value)
    expected = ["datasets.invented", "5 folds", "rarest (1), scarce (2)", "`drop`", "`keep`", "lower study.n_splits"]
    assert [part for part in expected if part not in message] == []


@pytest.mark.parametrize("number", [20, 1000])
def test_of_many_rare_classes_the_first_are_named_and_the_others_counted(number):
    samples = invented_samples({"common": 30} | {f"rare{i:04}": 1 for i in range(number)})
    with pytest.raises(InputError) as caught:
        folds_of(samples)
    message = str(caught.value)
    assert len(message) < 1000
    assert ("and 980 more" in message) is (number == 1000)
    assert "rare0019 (1)" in message
    assert "rare0020" not in message


def test_a_class_with_fewer_than_three_groups_a_fold_is_a_warning(capsys):
    samples = invented_samples({"negative": 60, "positive": 5})
    folds_of(samples)
    said = capsys.readouterr().out
    assert "warning: datasets.invented: fewer than 3 groups for each of the 5 folds in class(es) 'positive' (5)" in said
    assert warnings_of_folds(samples, 5)
    assert warnings_of_folds(invented_samples({"negative": 60, "positive": 15}), 5) == []


def test_a_rare_class_is_kept_when_asked_and_said_aloud(capsys):
    samples = invented_samples({"common": 30, "scarce": 2})
    folds = folds_of(samples, rare_classes="keep")
    assert len(folds) == len(samples)
    assert folds["fold"][samples["label_name"] == "scarce"].nunique() == 2
    assert "kept although rarer than 5 groups: scarce (2)" in capsys.readouterr().out


def mixed_samples():
    """Twenty patients with images of several classes: the rarest has enough of them, and one fold gets none."""
    generator = np.random.default_rng(18)
    rows = [
        (f"g{group:02d}", int(generator.choice(3, p=[0.7, 0.22, 0.08])))
        for group in range(20)
        for _ in range(generator.integers(1, 7))
    ]
    frame = pd.DataFrame(rows, columns=["group", "label"])
    names = ["abc"[label] for label in frame["label"]]
    return frame.assign(sample_id=[f"x{i}" for i in range(len(frame))], label_name=names)


@pytest.mark.parametrize("rare_classes", ["error", "drop"])
def test_a_class_with_enough_groups_that_a_fold_lacks_stops_with_both_names(rare_classes):
    samples = mixed_samples()
    assert find_rare_classes(samples, 5) == {}
    number = samples.loc[samples["label_name"] == "c", "group"].nunique()
    with pytest.raises(InputError) as caught:
        folds_of(samples, rare_classes=rare_classes)
    message = str(caught.value)
    assert message.startswith("datasets.invented: absent from some folds: ")
    assert f": 'c' ({number} groups) from fold 0." in message
    assert [part for part in ("`keep`", "lower study.n_splits", "change `seed`") if part not in message] == []


def test_a_class_that_a_fold_lacks_is_kept_when_asked_and_said_aloud(capsys):
    samples = mixed_samples()
    folds = folds_of(samples, rare_classes="keep")
    assert set(folds["fold"][samples["label_name"] == "c"]) == {1, 2, 3, 4}
    assert "kept although absent from some folds: 'c' (" in capsys.readouterr().out


def test_groups_of_one_class_that_differ_much_in_size_are_no_promise_either():
    """Next to one huge group, small ones hardly change the balance of a class."""
    generator, rows = np.random.default_rng(23), []
    for label, number in enumerate(generator.integers(5, 30, 4)):
        for group in range(number):
            rows += [(f"{label}-{group:02d}", label)] * (int(generator.pareto(1) * 3) + 1)
    samples = pd.DataFrame(rows, columns=["group", "label"])
    samples = samples.assign(sample_id=[f"x{i}" for i in range(len(samples))], label_name=samples["label"].astype(str))
    with pytest.raises(InputError, match="absent from some folds"):
        folds_of(samples)


@pytest.mark.parametrize("rare_classes", ["error", "drop"])
def test_a_rare_class_never_slips_through_unless_it_is_kept(rare_classes):
    with pytest.raises(InputError, match="fewer groups than the 5 folds"):
        folds_of(invented_samples({"common": 30, "scarce": 2}), rare_classes=rare_classes)


def test_rarity_is_counted_in_groups_not_in_images():
    samples = pd.DataFrame({"label_name": ["a"] * 50 + ["b"] * 5, "group": ["one", "two"] * 25 + list("vwxyz")})
    assert find_rare_classes(samples, 5) == {"a": 2}
    assert find_rare_classes(samples, 2) == {}


@pytest.mark.parametrize("n_splits", [1, 2])
def test_fewer_than_three_folds_are_refused(n_splits):
    with pytest.raises(InputError, match=rf"study\.n_splits is {n_splits}; at least 3"):
        folds_of(SAMPLES, n_splits)


@pytest.mark.parametrize(("counts", "copies"), [({"a": 1, "b": 1}, 1), ({"a": 2, "b": 1}, 8)])
def test_fewer_groups_than_folds_give_one_message(counts, copies):
    samples = pd.concat([invented_samples(counts)] * copies, ignore_index=True)
    with pytest.raises(InputError, match=r"datasets\.invented: .*n_splits=5.* Lower study\.n_splits, or add images"):
        folds_of(samples, rare_classes="keep")


@pytest.fixture
def written(tmp_path):
    """A folds file as the workflow writes it, and its table."""
    folds = folds_of(SAMPLES)
    write_parquet(folds, tmp_path / "folds.parquet")
    return tmp_path / "folds.parquet", folds


def test_folds_are_read_in_the_order_of_the_samples(written):
    path, folds = written
    assert np.array_equal(read_folds(path, SAMPLES), folds["fold"])
    backwards = SAMPLES[::-1].reset_index(drop=True)
    assert np.array_equal(read_folds(path, backwards), folds["fold"][::-1])


def test_a_group_in_two_folds_is_refused(written):
    path, folds = written
    row = SAMPLES.index[SAMPLES["group"].duplicated()][0]
    folds.loc[row, "fold"] = (folds.loc[row, "fold"] + 1) % 5
    write_parquet(folds, path)
    with pytest.raises(InputError, match=r"folds\.parquet: 1 group\(s\) have images in more than one fold.*Delete"):
        read_folds(path, SAMPLES)


def test_folds_of_another_dataset_are_refused(written):
    path, _ = written
    with pytest.raises(InputError, match=r"folds\.parquet: .* samples are not in the dataset; delete it"):
        read_folds(path, SAMPLES[SAMPLES["label_name"] != "seldom"])


def test_a_sample_without_a_fold_is_in_no_split(written):
    path, folds = written
    group = SAMPLES["group"].iloc[0]
    write_parquet(folds[SAMPLES["group"] != group], path)
    fold = read_folds(path, SAMPLES)
    assert (fold == -1).tolist() == (SAMPLES["group"] == group).tolist()
    rows = np.concatenate(list(split_rows(fold, 0, 5).values()))
    assert sorted(rows) == np.flatnonzero(fold >= 0).tolist()


@pytest.mark.parametrize(("k", "validation", "train"), [(0, 1, {2, 3, 4}), (3, 4, {0, 1, 2}), (4, 0, {1, 2, 3})])
def test_validation_is_the_next_fold_and_training_the_rest(k, validation, train):
    fold = folds_of(SAMPLES)["fold"].to_numpy()
    split = split_rows(fold, k, 5)
    assert set(fold[split["test"]]) == {k}
    assert set(fold[split["validation"]]) == {validation}
    assert set(fold[split["train"]]) == train
    assert sorted(np.concatenate(list(split.values()))) == list(range(len(fold)))


def test_no_group_is_in_two_splits():
    fold = folds_of(SAMPLES)["fold"].to_numpy()
    groups = [set(SAMPLES["group"].iloc[rows]) for rows in split_rows(fold, 2, 5).values()]
    assert sum(map(len, groups)) == len(set.union(*groups)) == SAMPLES["group"].nunique()
