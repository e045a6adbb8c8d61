"""A share of the training groups is nested, has whole groups and every class, and takes only training rows."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch

from learnability import registry
from learnability.storage.contracts import read_json, write_parquet
from learnability.study.array_sizes import ArraySize
from learnability.study.recipe import SEEDS_BETWEEN
from learnability.training.engine import with_share
from learnability.training.fold_data import load_fold
from learnability.training.share import shared_rows
from learnability.workflow.job_work import describe_work, passes
from tests.lights import TRAIN, inputs, teach, train, write_study
from tests.recipes import DISTILL, IMAGE, LATENT, recipe_of

SHARES = (0.05, 0.1, 0.25, 0.5, 1.0)
SHORT = {"epochs": 2}


def rows_of_groups(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of 150 groups with several images, some of two classes; class 3 is only in groups of other classes."""
    random = np.random.default_rng(seed)
    group = np.repeat(np.arange(150), random.integers(1, 6, 150))
    label = np.array([0] * 90 + [1] * 45 + [2] * 15)[group]
    mixed = np.isin(group, random.choice(150, 30, replace=False)) & (random.random(len(group)) < 0.5)
    label[mixed] = 3
    shuffled = random.permutation(len(group))
    return label[shuffled], group[shuffled]


@pytest.mark.parametrize("seed", range(20))
def test_a_share_lies_in_the_next_divides_no_group_and_has_every_class(seed):
    label, group = rows_of_groups(seed)
    used = [shared_rows(label, group, share, seed) for share in SHARES]
    for smaller, larger in pairwise(used):
        assert not (smaller & ~larger).any()
    for rows in used:
        assert not set(group[rows]) & set(group[~rows])
        assert set(label[rows]) == {0, 1, 2, 3}
    assert used[-1].all()
    assert used[0].sum() < used[1].sum() < used[2].sum() < used[3].sum()


def test_every_class_has_its_share_of_the_groups():
    group = np.arange(1000)
    label = np.repeat([0, 1, 2], [800, 180, 20])
    for share in (0.05, 0.25, 0.5):
        found = Counter(label[shared_rows(label, group, share, seed=3)].tolist())
        assert found == {0: 800 * share, 1: 180 * share, 2: 20 * share}


def test_a_class_that_is_only_in_groups_of_rarer_classes_is_kept():
    """Class 2 is in two of three groups of class 0 and of class 1: one group of each may hold none of it."""
    held = {0: [0, 2], 1: [0, 2], 2: [0], 3: [1, 2], 4: [1, 2], 5: [1]}
    group = np.array([number for number, classes in held.items() for _ in classes])
    label = np.array([k for classes in held.values() for k in classes])
    for seed in range(30):
        assert set(label[shared_rows(label, group, 0.34, seed)]) == {0, 1, 2}
        assert set(label[shared_rows(label, group, 0.01, seed)]) == {0, 1, 2}


def test_a_rare_class_in_groups_of_a_common_one_has_its_share_of_them():
    group = np.r_[np.arange(140), np.arange(40)]
    label = np.repeat([0, 1], [140, 40])
    for seed in range(10):
        used = shared_rows(label, group, 0.25, seed)
        assert (used[label == 0].sum(), used[label == 1].sum()) == (35, 10)


def test_the_draw_is_of_the_seed_and_not_of_the_order_of_shares():
    label, group = rows_of_groups(0)
    first, again, other = (shared_rows(label, group, 0.25, seed) for seed in (7, 7, 8))
    assert (first == again).all()
    assert not (first == other).all()


@pytest.fixture
def study(tmp_path):
    return write_study(tmp_path)


def fold_of(study, recipe: dict, seed: int = 1, **changes):
    given = inputs(study, recipe)
    data = load_fold(given["cell"], given["n_splits"], given["inputs"], given["device"])
    return data, with_share(data, recipe_of(recipe, **changes), seed)


def test_only_training_rows_are_fewer_and_moments_are_of_those(study):
    whole, part = fold_of(study, LATENT, train_share=0.25)
    assert len(part.split["train"]) == sum(round(n / 4) for n in np.bincount(whole.label[TRAIN]))
    for name in ("validation", "test"):
        assert part.split[name].tolist() == whole.split[name].tolist()
    z = np.asarray(part.array, dtype=np.float64)[part.split["train"]]
    mean, deviation = part.moments
    assert mean == pytest.approx(z.mean(axis=(0, 2, 3)))
    assert deviation == pytest.approx(z.std(axis=(0, 2, 3)))
    assert mean != pytest.approx(whole.moments[0])


def test_spaces_and_replicates_of_a_fold_have_the_same_rows_and_folds_do_not(study):
    latent = fold_of(study, LATENT, train_share=0.1)[1].split["train"].tolist()
    assert fold_of(study, IMAGE, train_share=0.1)[1].split["train"].tolist() == latent
    again = fold_of(study, LATENT, seed=1 + SEEDS_BETWEEN, train_share=0.1, replicate=1)[1]
    assert again.split["train"].tolist() == latent
    assert fold_of(study, LATENT, seed=2, train_share=0.1)[1].split["train"].tolist() != latent


def test_a_share_trains_on_its_rows_and_says_how_many(study, capsys):
    """The class weights count the rows that are used; the log names a small class that is kept above its share."""
    whole, part = train(study, "whole", LATENT | SHORT), train(study, "part", LATENT | SHORT | {"train_share": 0.02})
    assert whole["model.safetensors"] != part["model.safetensors"]
    metrics = read_json(study / "part/metrics.json")
    assert (metrics["n_train"], metrics["n_train_groups"]) == (3, 3)
    assert (metrics["n_validation"], metrics["n_test"]) == (20, 20)
    output = capsys.readouterr().out
    assert "train_share 0.02: 3 of 60 groups, 3 of 60 rows" in output
    rare = (pd.read_parquet(study / "samples.parquet")["label"][TRAIN] == 2).sum()
    assert f"rare: 1 of {rare} training groups, more than the share; one at least is kept" in output
    assert read_json(study / "whole/metrics.json")["n_train_groups"] == 60
    assert read_json(study / "part/model.json")["trained_by"]["train_share"] == 0.02
    assert "train_share" not in read_json(study / "whole/model.json")["trained_by"]


def test_a_teacher_has_logits_of_all_rows_and_the_student_takes_those_of_its_own(study):
    logits = teach(study, "teacher", IMAGE | SHORT)
    given = inputs(study, LATENT)
    files = given["inputs"].__class__(**vars(given["inputs"]) | {"teacher_logits": logits})
    data = load_fold(given["cell"], given["n_splits"], files, given["device"])
    part = with_share(data, recipe_of(LATENT, train_share=0.25), 1)
    place = [data.split["train"].tolist().index(row) for row in part.split["train"]]
    assert len(place) < 60
    assert torch.equal(part.teacher, data.teacher[place])
    recipe = LATENT | SHORT | {"distill": DISTILL, "train_share": 0.25}
    train(study, "student", recipe, teacher_logits=logits, teacher_scale=30.0)


def test_groups_of_several_images_stay_whole_in_a_training(study):
    samples = pd.read_parquet(study / "samples.parquet")
    place = np.arange(100)
    samples["group"] = [f"patient{fold}_{number}" for fold, number in zip(place % 5, place // 10, strict=True)]
    write_parquet(samples, study / "samples.parquet")
    data, part = fold_of(study, LATENT, train_share=0.5)
    used = set(data.samples["group"].iloc[part.split["train"]])
    left = set(data.samples["group"].iloc[data.split["train"]]) - used
    rest = data.samples["group"].iloc[np.setdiff1d(data.split["train"], part.split["train"])]
    assert left
    assert set(rest) == left


def test_its_module_belongs_to_the_code_of_those_that_use_it_alone():
    assert "training.share" in registry.modules_of_training(recipe_of(LATENT, train_share=0.5))
    assert "training.share" not in registry.modules_of_training(recipe_of(LATENT))


def test_a_plan_counts_the_rows_that_train_and_the_validation_that_is_whole():
    """Three fifths of the rows train, three times the cost of the fifth that validates: (9 s + 1)/10 of an epoch."""
    array = ArraySize(1000, 4, 32)
    params = {"n_splits": 5, "recipe": recipe_of(LATENT)}
    whole = describe_work("train_classifier", params, array)
    part = describe_work("train_classifier", params | {"recipe": recipe_of(LATENT, train_share=0.1)}, array)
    assert part.kind == whole.kind
    assert part.units == pytest.approx(0.19 * whole.units)
    budget = recipe_of(LATENT, train_share=0.1, budget_seconds=60)
    assert passes("train_classifier", params | {"recipe": budget}) == budget.epochs
