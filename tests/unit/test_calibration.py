"""The short version of `make calibrate`: levels, power and verdicts from a few studies, and how they are stored."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.calibration import raw, scores, simulated
from benchmarks.calibration.controls import CIPHER, LOSSLESS, controlled
from benchmarks.calibration.designs import N_SPLITS, SMALL, designs
from benchmarks.calibration.page import deciding, failing, wrong_verdicts
from benchmarks.calibration.rates import (
    ALONE,
    LEAST_LEFT_OUT,
    Rate,
    encoding,
    false_positives,
    field,
    found,
    misses,
    of_controls,
    of_scores,
    power,
    rate,
    shares,
)
from benchmarks.calibration.scenarios import CONTROLLED, MAIN, OTHERS, POWER, SCORED, in_words
from benchmarks.calibration.simulated import ONE, ONE_WITHOUT, TWO, UNITS, paired, simulate
from benchmarks.calibration.verdicts import CASES, CURVES, judged, truth, verdicts
from learnability.paper.verdicts import NOT_SUPPORTED, SUPPORTED, UNTESTABLE
from learnability.significance.group_level import FEWEST_FOLDS, excess, group_test
from learnability.significance.groups import Compared, dataset_test
from learnability.study.configuration import ROOT

DESIGNS = designs(SMALL, 0)
STUDIES = 24
WITHOUT, WITH = (1.0,), (0.78, 0.82, 0.77, 0.85)  # strengths of the latents' class means; the second cost 8 points
FEWEST = next(scenario for scenario in OTHERS if "fewest" in scenario.name)


@pytest.fixture(scope="module")
def main():
    """Studies of the first scenario without a gap, and with one of about 8 points."""
    return simulate(DESIGNS, [(*WITHOUT, strength) for strength in WITH], MAIN[0], STUDIES, [0])


@pytest.fixture(scope="module")
def fewest():
    """Studies without a gap, half of whose variance is that of training."""
    return simulate(DESIGNS, [WITHOUT] * len(DESIGNS), FEWEST, STUDIES, [1])


def test_the_level_is_held_where_training_varies_most(fewest):
    assert 0.35 < shares(fewest)["share of training"] < 0.75
    rates = false_positives(fewest)
    for test in ("cell", "dataset", "these datasets", "control found, 5 folds"):
        assert rates[test].holds, test
    # Without the variance of training the level is not held, so that the lines above can fail.
    assert not rates["cell, sampling only"].holds
    assert not rates["dataset, sampling only"].holds
    assert rates["cell, sampling only"].value > 0.12


def test_the_level_is_held_in_the_main_set_up(main):
    rates = false_positives(main)
    for test in ("cell", "dataset", "these datasets", "a further dataset, t over means"):
        assert rates[test].holds, test
    assert 0.01 < rates["cell"].value < 0.08
    assert not rates["signed ranks of 20 pairs, two-sided"].holds  # this test takes pairs as independent


def test_a_gap_of_eight_points_is_found(main):
    gap = field(main.study[1], "effect").mean()
    assert gap == pytest.approx(0.082, abs=0.012)
    rates = power(main, 1)
    assert rates["cell"].value >= 0.42
    assert rates["dataset"].value >= 0.6
    assert rates["study"].value >= 0.95
    assert rates["cell"].value > rates["cell, t over folds"].value + 0.1
    assert rates["cell, sampling only"].value > rates["cell"].value


def test_intervals_hold_the_gap(main):
    for gap in (0, 1):
        for test, missed in misses(main, gap).items():
            assert missed.holds, test


def test_scores_are_those_of_the_tests(main):
    """The gap of a cell is its mean over folds, so that tests over folds and over groups have one estimate."""
    folds = main.reconstruction - main.latent[1]
    assert folds.shape == (STUDIES, 4, 5, N_SPLITS)
    assert field(main.tests[1], "effect")[:, :, :5] == pytest.approx(folds.mean(3), abs=1e-6)
    assert field(main.tests[1], "effect")[:, :, UNITS.index("dataset")] == pytest.approx(folds.mean((2, 3)), abs=1e-6)


def test_a_data_set_is_tested_as_the_project_tests_it():
    random, design = np.random.default_rng(0), DESIGNS[0]
    first, second = random.random((2, 5, len(design.label))) < 0.7
    image, control = random.random((2, len(design.label))) < 0.7
    tests = dict(zip(UNITS, simulated._of_study(first, second, image, control, design), strict=True))
    cells = [paired(*pair, design) for pair in zip(first, second, strict=True)]
    assert tests["dataset"] == dataset_test([Compared("", {}, rows) for rows in cells], design)
    assert tests[0] == group_test(cells[0], excess(cells), design.overlap(range(N_SPLITS)))
    assert tests[TWO] == group_test(cells[0], excess(cells[:2]), design.overlap(range(N_SPLITS)))
    assert tests["control of few"].variance_training is None
    assert tests["control of few"].n_folds < FEWEST_FOLDS


def test_a_lone_cell_has_a_least_of_training(main):
    """Without that least variance p is never larger, and in half of the studies smaller."""
    alone, without = (field(main.tests[0], "training")[:, :, UNITS.index(unit)] for unit in (ONE, ONE_WITHOUT))
    assert (alone >= without - 1e-15).all()
    assert 0.3 < (without == 0).mean() < 0.7
    assert (alone > 0).all()
    rates = false_positives(main)
    assert rates[ALONE].value <= rates[LEAST_LEFT_OUT].value
    assert power(main, 1)[ALONE].value < power(main, 1)[LEAST_LEFT_OUT].value


def test_folds_keep_groups_whole_and_overlap_by_half():
    for design in DESIGNS:
        folds_of_groups = {(group, fold) for group, fold in zip(design.group, design.fold, strict=True)}
        assert len(folds_of_groups) == len(np.unique(design.group))
        assert design.overlap(range(N_SPLITS)) == pytest.approx(0.5, abs=0.01)
    mixed = [len({*zip(design.group, design.label, strict=True)}) > design.group.max() + 1 for design in DESIGNS]
    assert mixed == [shape.mixed for shape in SMALL]


@pytest.mark.parametrize(("name", "claim", "verdict"), [
    ("half the noise", "isic_significant", SUPPORTED),
    ("reversed", "isic_significant", NOT_SUPPORTED),
    ("reversed", "ls_below_rs", NOT_SUPPORTED),
    ("half the noise", "gap_over_datasets", SUPPORTED),
])  # fmt: skip
def test_verdicts_follow_the_truth(name, claim, verdict):
    case = next(case for case in CASES if case.name == name)
    told = judged(verdicts(case, 2, [0]), name)[claim]
    assert told[verdict] == 1.0
    assert told["true"] == (verdict == SUPPORTED)
    assert [of.value for of in told["wrong"].values()] == [0.0]


def test_a_command_that_was_stopped_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(raw, "STACK", 2)
    monkeypatch.setattr(raw, "TRIAL", 4)
    arguments = MAIN[0], (0.0, 0.082), 4, 0, tmp_path
    whole, seconds = raw.simulated_studies(*arguments)
    kept = sorted(tmp_path.rglob("*.npz"))
    assert [path.name for path in kept] == ["0.npz", "1.npz"]
    kept[1].unlink()
    again, _ = raw.simulated_studies(*arguments)
    for before, after in zip(whole, again, strict=True):
        np.testing.assert_array_equal(before, after)
    monkeypatch.setattr(raw, "simulate", lambda *_: pytest.fail("computed again"))
    monkeypatch.setattr(raw, "_digest", lambda *_: kept[0].parent.name.rpartition("-")[2])
    assert raw.simulated_studies(*arguments)[1] == pytest.approx(seconds, rel=2)


def test_results_of_a_test_that_computes_otherwise_are_not_taken(monkeypatch):
    before = raw._digest(MAIN[0], DESIGNS, 0)
    assert raw._digest(MAIN[0], DESIGNS, 0) == before
    assert raw._digest(MAIN[1], DESIGNS, 0) != before
    monkeypatch.setattr(simulated, "excess", lambda cells: 2 * (excess(cells) or 0.0))
    assert raw._digest(MAIN[0], DESIGNS, 0) != before


def test_a_rate_holds_by_its_lower_bound():
    """Cells of one study count as one observation, even if a hundred of them agree."""
    few = np.zeros((40, 1), dtype=bool)
    few[:4] = True
    assert rate(few).value == rate(np.repeat(few, 100, axis=1)).value == 0.1
    assert rate(few).low == pytest.approx(rate(np.repeat(few, 100, axis=1)).low)
    assert rate(few).holds
    many = np.tile(few, (25, 1))
    assert not rate(many).holds
    assert str(rate(many)) == "**10.0**"
    wrong = {"cell": rate(many), "cell, sampling only": rate(many), "dataset": Rate(0.04, 0.03, 1000)}
    assert failing({"centroid": wrong}) == ["cell (centroid): 10.0 %"]
    assert found(np.array([0.04, 0.04, 0.06]), np.array([1, -1, 1])).tolist() == [True, False, False]


def test_what_decides_is_gated():
    wrong, none = rate(np.tile([[True], [False]], (500, 1))), rate(np.zeros((1000, 1), dtype=bool))
    results = {
        "levels": {"centroid": {"cell": none}},
        "misses": {"centroid": {0.02: {"cell": wrong, "study": none}}},
        "encoding": {"cell of one autoencoder": wrong},
        "equivalence": {"control absent, 5 folds": wrong, "TOST over dataset means, one image run": wrong},
        "fidelity": {"pearson, autoencoders' own gaps × 2": wrong, "spearman, autoencoders' own gaps × 2": wrong},
        "scores": {"ridge": {"auc": wrong}},
        "controls": {
            in_words(MAIN[0], 0.0, 5): {
                "the controls fail": none,
                f"{CIPHER} found": wrong,
                f"{LOSSLESS} found": wrong,
            },
            in_words(MAIN[0], 0.0, 2): {"the controls fail": wrong, f"{LOSSLESS} found": wrong},
            in_words(MAIN[0], 0.082, 5): {"the controls fail": wrong, f"{LOSSLESS} found": wrong},
        },
    }
    assert failing(deciding(results)) == [
        "cell (interval, centroid, 2 points): 50.0 %",
        "cell of one autoencoder (gap_encoding): 50.0 %",
        "control absent, 5 folds (gap as large as the margin): 50.0 %",
        "pearson, autoencoders' own gaps × 2 (PSNR): 50.0 %",
        f"{LOSSLESS} found (centroid, 5 folds): 50.0 %",
        "the controls fail (centroid, 2 folds): 50.0 %",
        "auc (over folds, ridge): 50.0 %",
    ]


def test_controls_are_judged_as_the_project_judges_them():
    sound = controlled(DESIGNS, (1.0,) * len(DESIGNS), MAIN[0], 6, [0])
    assert len(sound) == 6 * len(DESIGNS) * 3
    rates = of_controls(sound.assign(stack=0))
    assert rates["the controls fail"].studies == 6
    assert rates["the controls fail"].value <= 1 / 3
    assert rates[f"{CIPHER} found"].value > 0.9
    assert rates["image_again found"].holds
    unsound = controlled(DESIGNS, (0.4,) * len(DESIGNS), MAIN[0], 3, [0])
    assert unsound["fails"].all()
    assert of_controls(unsound.assign(stack=0))[f"{LOSSLESS} found"].value > 0.8
    # Two folds: of sampling only, from the images of these.
    few = controlled(designs(SMALL, 0, 2), (1.0,) * len(DESIGNS), MAIN[0], 2, [0])
    assert (few["ci_high"] - few["ci_low"]).mean() != (sound["ci_high"] - sound["ci_low"]).mean()


def test_scores_are_tested_as_table_4_is():
    tests = scores.compared(DESIGNS, MAIN[0], 6, [0])
    assert len(tests) == 6 * (len(DESIGNS) + 1) * 3 * 2
    rates = of_scores(tests.assign(stack=0, p=tests["p"].astype(float)))
    assert len(rates) == 2 * 3 * 2
    assert {of.studies for of in rates.values()} == {6}
    assert all(of.holds for of in rates.values())
    assert "latents against reconstructions, auc, macro" in rates
    assert tests["p"].between(0, 1).all()
    assert tests["p"].min() < 0.2


def test_one_autoencoder_is_tested_as_a_study_of_it_alone(main):
    random, design = np.random.default_rng(0), DESIGNS[0]
    first, second = random.random((2, 5, len(design.label))) < 0.7
    image, control = random.random((2, len(design.label))) < 0.7
    tests = simulated._encoding(first, second, image, control, design)
    alone = simulated._encoding(first[:1], second[:1], image, control, design)
    assert len(tests) == 6
    assert tests[-1] == alone[0] == alone[-1] != tests[0]
    one = field(main.tests[0], "p")[:, :, UNITS.index("control")]
    assert false_positives(main)["cell of one autoencoder"].value == pytest.approx((one < 0.05).mean())


def test_the_decomposed_gap_of_one_autoencoder_has_a_rate(monkeypatch):
    tests = np.ones((2, 4, 6, len(simulated.FIELDS)))  # p of 1, and 0 in no interval
    tests[:, :, 5, simulated.FIELDS.index("p")] = 0.01
    monkeypatch.setattr("benchmarks.calibration.rates.decomposed", lambda *_: tests)
    rates = encoding(MAIN[0], 1, 0)
    assert (rates["cell"].value, rates["cell of one autoencoder"].value) == (0.0, 1.0)


def test_at_the_margin_neither_verdict_is_right():
    known = {case.name: truth(case) for case in CASES}
    assert (known["no gap"]["rs_equals_is"], known["published effects"]["rs_equals_is"]) == (None, True)
    assert known["at the ends of the ranges"]["cardium_no_gap"] is None
    assert known["reversed"]["cardium_no_gap"] is True
    assert known["reversed"]["rs_equals_is"] is False
    half = pd.DataFrame({claim: [NOT_SUPPORTED, UNTESTABLE] * 200 for claim in known["no gap"]})
    assert wrong_verdicts({"no gap": judged(half, "no gap")}) == [
        "rs_equals_is is refuted although at the margin (no gap): 50.0 %",
        "cardium_no_gap is refuted although true (no gap): 50.0 %",
    ]


def test_verdicts_of_other_rules_are_not_taken(monkeypatch):
    """Two studies seldom meet the edge of a rule, so their verdicts alone would not show the difference."""
    before = raw._digest_of_verdicts(CASES[0], 0)
    assert raw._digest_of_verdicts(CASES[0], 0) == before
    monkeypatch.setattr(raw, "rules_of_verdicts", raw.gap_claims)
    assert raw._digest_of_verdicts(CASES[0], 0) != before


def test_the_page_is_of_these_scenarios_and_cases():
    text = (ROOT / "docs/measurements/error_rates.md").read_text(encoding="utf-8")
    names = [scenario.name for scenario in (*MAIN, *OTHERS)] + [case.name for case in CASES]
    assert [name for name in names if name not in text] == []
    assert all(f"{100 * gap:g}" in text for _, gaps in POWER for gap in gaps)
    assert all(f"{100 * case.noise:g} points" in text for case in CURVES)
    assert [in_words(*entry[:3]) for entry in CONTROLLED if in_words(*entry[:3]) not in text] == []
    assert all(scenario.name in text for scenario in SCORED)
    assert "- Level: " in text
    assert "- Power at a gap of 8.2 points" in text
