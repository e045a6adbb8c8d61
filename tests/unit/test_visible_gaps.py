"""The smallest gap that a study could see: its formula by hand and in simulated studies, and where counts come from."""

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from scipy import stats

from learnability.commands.check import examine_power
from learnability.commands.visible_gaps import count_classes, in_words, reading, visible_gap, visible_gaps
from learnability.planning.printing import print_visible
from learnability.significance import visible
from learnability.significance.group_level import LEAST_ALONE
from learnability.study.configuration import ROOT, read_config

DEMO = ROOT / "workflow" / "studies" / "demo.yaml"


@pytest.fixture
def demo(tmp_path) -> dict:
    return read_config(DEMO) | {"results": str(tmp_path)}


def test_the_formula_by_hand():
    """Two classes: 100 images of 25 groups, deff 1 + 3/2; 40 images of 40 groups, deff 1."""
    by_hand = 1.25 * 0.3 * (2.5 / (4 * 100) + 1 / (4 * 40))
    assert visible.class_variances([100, 40], [25, 40]).sum() == pytest.approx(by_hand)
    assert visible.smallest_gap([100, 40], [25, 40]) == pytest.approx(2.8 * by_hand**0.5)
    assert visible.smallest_gap([400, 160], [100, 160]) == pytest.approx(visible.smallest_gap([100, 40], [25, 40]) / 2)
    assert visible.smallest_gap([100, 40], [25, 40], alone=True) == pytest.approx(2.8 * (by_hand * 1.4 / 1.25) ** 0.5)
    assert visible.ALONE == 1 + 6 * LEAST_ALONE  # five folds that overlap by half: V_t is 1.2 e, e of V_s · 5
    assert visible.share_of_mean(1) == 1
    assert visible.share_of_mean(5) == pytest.approx(((1 + 4 * 0.38) / 5) ** 0.5)


def test_a_corrected_test_asks_for_more():
    assert visible.times_corrected(1) == pytest.approx(1)
    assert visible.times_corrected(20) == pytest.approx((3.0233 + 0.8416) / (1.96 + 0.8416), abs=1e-3)


def simulated(gap: float, sizes: dict[int, tuple[int, int]], studies: int) -> np.ndarray:
    """Differences of balanced accuracies (studies,); an image has its group's draw with probability √WITHIN_GROUP."""
    generator = np.random.default_rng(0)

    def draw(*shape: int) -> np.ndarray:
        which, right = generator.random(shape), (visible.DISAGREEMENT + gap) / 2
        return np.where(which < right, 1.0, np.where(which < visible.DISAGREEMENT, -1.0, 0.0))

    means = []
    for groups, per_group in sizes.values():
        shared = draw(studies, groups, 1).repeat(per_group, axis=2)
        own = draw(studies, groups, per_group)
        copied = generator.random(own.shape) < visible.WITHIN_GROUP**0.5
        means.append(np.where(copied, shared, own).mean(axis=(1, 2)))
    return np.mean(means, axis=0)


def test_simulated_studies_have_this_error_and_this_power():
    """The error comes from sampling; training adds a normal error of a quarter of that variance."""
    sizes = {0: (40, 6), 1: (90, 2), 2: (25, 1)}
    images, groups = [g * m for g, m in sizes.values()], [g for g, _ in sizes.values()]
    error = np.sqrt(visible.class_variances(images, groups).sum())
    none = simulated(0.0, sizes, 20_000)
    assert none.std() == pytest.approx(error / visible.TRAINING**0.5, rel=0.03)
    gap = visible.smallest_gap(images, groups)
    found = simulated(gap, sizes, 4_000)
    found += np.random.default_rng(1).normal(0, error * np.sqrt(1 - 1 / visible.TRAINING), len(found))
    power = (found / error > stats.norm.isf(0.025)).mean()
    assert power == pytest.approx(visible.POWER, abs=0.03)


def test_the_counts_are_those_of_the_folds_that_are_run(demo, tmp_path):
    samples = pd.DataFrame({"sample_id": [f"s{i}" for i in range(20)], "group": [f"g{i // 2}" for i in range(20)]})
    samples["label_name"] = ["a"] * 12 + ["b"] * 8
    folder = tmp_path / "datasets" / "phantom_skin"
    folder.mkdir(parents=True)
    samples.to_parquet(folder / "samples.parquet")
    images, groups, origin, flatters = count_classes(demo, "phantom_skin")
    assert (images, groups) == ({"a": 12 * 0.4, "b": 8 * 0.4}, {"a": 6 * 0.4, "b": 4 * 0.4})  # 2 of 5 folds
    assert (origin, flatters) == ("prepared", False)
    (tmp_path / "folds").mkdir()
    fold = [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 0, 0, 1, 1, 2, 2, 3, 3]
    pd.DataFrame({"sample_id": samples["sample_id"], "fold": fold}).to_parquet(tmp_path / "folds/phantom_skin.parquet")
    assert count_classes(demo, "phantom_skin")[:3] == ({"a": 6, "b": 4}, {"a": 3, "b": 2}, "folds")
    found = visible_gap(demo, "phantom_skin", 5)
    assert found.cell == pytest.approx(visible.smallest_gap([6, 4], [3, 2]))
    assert (found.rarest, found.images, found.groups) == ("b", 4, 2)


def test_data_that_are_not_prepared_are_counted(demo):
    images, groups, origin, _ = count_classes(demo, "phantom_skin")
    assert groups == {"nevus": 24, "melanoma": 12, "keratosis": 18 * 0.4, "vascular": 12 * 0.4}
    assert origin == "counted"
    assert sum(images.values()) == pytest.approx(310 * 0.4)


def test_without_data_published_counts_serve_and_what_they_do_not_say_is_said(monkeypatch, tmp_path):
    for name in ("CT_RATE_ROOT", "ISIC2019_ROOT", "MIMIC_CXR_LT_ROOT", "CARDIUM_ROOT"):
        monkeypatch.delenv(name, raising=False)
    config = read_config() | {"results": str(tmp_path)}
    found = {each.dataset: each for each in visible_gaps(config)}
    assert set(found) == set(config["study"]["datasets"])
    cardium = visible.smallest_gap([1068, 5490], [74, 1029])
    assert (found["cardium"].cell, found["cardium"].rarest) == (pytest.approx(cardium), "CHD")
    isic = found["isic2019"]
    assert (isic.rarest, isic.images, isic.groups, isic.flatters) == ("DF", 239, 113, False)
    assert (found["mimic_cxr_lt"].flatters, round(found["mimic_cxr_lt"].images)) == (True, 15)
    assert in_words(found["ct_rate"]).endswith("(published count, classes taken to be equal)")
    config["datasets"]["isic2019"]["subset"] = {"images": 2533}
    assert visible_gap(config, "isic2019", 5).cell == pytest.approx(isic.cell * (25331 / 2533) ** 0.5)
    config["datasets"]["isic2019"] |= {"format": "table"}
    assert visible_gap(config, "isic2019", 5) is None


def test_plan_and_check_say_it_and_what_halves_it(demo, capsys):
    console = Console(width=200)
    print_visible(demo, console)
    printed = capsys.readouterr().out
    gap = f"{100 * visible_gap(demo, 'phantom_skin', 5).cell:.1f}"
    assert gap in next(line for line in printed.splitlines() if "phantom_skin" in line)
    for text in ("Four times as many groups", "Replicates only average out what the seed changes", "20 under Holm",
                 "2 of 5 folds are run; all of them would make it 63%", "no verdict on the gap."):  # fmt: skip
        assert text in printed
    lines = examine_power(demo)
    assert [line.subject for line in lines[:4]] == demo["study"]["datasets"]
    assert f"{gap} points for one autoencoder" in lines[1].text
    assert all(line.ready for line in lines)


def test_one_autoencoder_alone_sees_less(demo):
    several, alone = (visible_gap(demo, "phantom_skin", autoencoders) for autoencoders in (5, 1))
    assert alone.cell == pytest.approx(several.cell * (1.4 / 1.25) ** 0.5)
    assert any("training adds 40% to the variance" in text for text in reading(demo, [alone]))
    assert not any("Holm" in text for text in reading(demo, [alone]))  # of a single p there is nothing to correct
    assert any("training adds 25% to the variance" in text for text in reading(demo, [several, alone]))


def test_nothing_is_said_of_a_gap_that_is_not_measured(demo):
    demo["study"] |= {"spaces": ["image", "latent"]}
    assert visible_gaps(demo) == []
    assert examine_power(demo) == []


def test_all_folds_leave_nothing_to_add(demo):
    demo["study"] |= {"folds": [0, 1, 2, 3, 4]}
    assert not any("folds" in text for text in reading(demo, visible_gaps(demo)))
