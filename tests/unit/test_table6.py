"""Table 6 and its figure: the gap with and without each remedy, what is closed of it, and the price."""

import pandas as pd
import pytest

from learnability.errors import InputError
from learnability.figures.remedies import draw_remedies
from learnability.significance.remedies import remedies
from learnability.significance.t_tests import corrected_t
from learnability.study.remedies import remedy_rows
from learnability.tables.labels import Labels
from learnability.tables.table6 import TABLE6_COLUMNS, render_table6, shares_closed, table6
from tests.drawn import assert_legible, files_of, lines, words
from tests.scored_runs import only
from tests.tried import TUNED_SHARES, by_tuning, config_of, half_by_whitening, planted, runs_of

NAMES = {"sd14": "SD 1.4", "flux1": "Flux.1", "sd14_ft": "SD 1.4, tuned", "sd14_eq": "SD 1.4-EQ",
         "pixel_unshuffle_8": "Pixel unshuffle 8"}  # fmt: skip
LABELS = Labels({"isic2019": "ISIC"}, NAMES, frozenset({"isic2019"}))


def psnr_of(names=NAMES) -> pd.DataFrame:
    values = {name: 30.0 + place for place, name in enumerate(names)} | {"pixel_unshuffle_8": float("inf")}
    return pd.DataFrame([{"dataset": "isic2019", "autoencoder": name, "psnr": values[name]} for name in names])


@pytest.fixture(scope="module")
def made():
    """The table, its tests and runs."""
    metrics, tests, rows = planted()
    return table6(metrics, tests, psnr_of(), rows, range(5)), tests, metrics


def test_every_row_has_its_gap_that_without_it_and_the_price(made):
    table, tests, _ = made
    assert list(table) == TABLE6_COLUMNS
    assert len(table) == 3 * (2 * 6 + 2 + 5)
    whitened = only(table, autoencoder="sd14", recipe="whiten", metric="balanced_accuracy")
    assert [whitened[key] for key in ("mean", "gap", "gap_without")] == pytest.approx([0.75, 0.15, 0.3])
    score = only(tests, autoencoder="sd14", recipe="whiten", comparison="latent")
    assert [whitened["ci_low"], whitened["ci_high"]] == [score["ci_low"], score["ci_high"]]
    assert [whitened[key] for key in ("gflop", "mb", "psnr", "n_folds")] == [2 * 4**2 * 64**2 / 1e9, 0.0, 30.0, 5]
    assert only(table, autoencoder="sd14", recipe="behind_mid", metric="auc")["gflop"] == 2.5
    none = only(table, autoencoder="sd14", remedy="none", metric="mcc")
    assert none["gap"] == none["gap_without"] == pytest.approx(0.3)
    control = only(table, autoencoder="pixel_unshuffle_8", recipe="whiten", metric="balanced_accuracy")
    assert [control["gap"], control["gap_without"], control["psnr"]] == pytest.approx([0.05, 0.05, float("inf")])


def test_scores_but_balanced_accuracy_have_intervals_over_folds(made):
    _, tests, metrics = made
    rows = remedy_rows(config_of())
    uneven = metrics.assign(auc=metrics["auc"] + metrics["fold"] / 100)
    row = only(table6(uneven, tests, psnr_of(), rows, range(5)), autoencoder="sd14", recipe="whiten", metric="auc")
    truth = corrected_t(uneven.query("autoencoder == 'sd14' and recipe == 'whiten'")["auc"], 1 / 3)
    assert row["ci_low"] == truth["ci_low"] < row["mean"] < truth["ci_high"] == row["ci_high"]


def test_an_equivariant_one_is_to_close_the_gap_of_its_base():
    metrics, tests, rows = planted(by_tuning, recipes=["matched"], autoencoders=[*TUNED_SHARES])
    table = table6(metrics, tests, psnr_of([*TUNED_SHARES, "pixel_unshuffle_8"]), rows, range(5))
    table = table[table["metric"] == "balanced_accuracy"].set_index("autoencoder")
    assert table["remedy"].to_dict() == {
        "sd14": "none", "sd14_ft": "none", "sd14_eq": "equivariance", "pixel_unshuffle_8": "none"
    }  # fmt: skip
    assert table["gap"].to_list() == pytest.approx([0.3, 0.2, 0.15, 0.0])
    assert table["gap_without"].to_list() == pytest.approx([0.3, 0.2, 0.3, 0.0])
    closed = shares_closed(table.reset_index(), tests)
    assert closed == {("isic2019", "sd14_eq", "equivariance", "matched"): pytest.approx(0.5)}


def test_a_part_is_closed_only_of_a_gap_that_is_there(made):
    closed = shares_closed(*made[:2])
    assert closed["isic2019", "sd14", "whiten", "whiten"] == pytest.approx(0.5)
    assert closed["isic2019", "sd14", "rotate", "rotate"] == pytest.approx(0)
    # The control's gap of 5 points has an interval from below to above 0.
    row = only(made[1], autoencoder="pixel_unshuffle_8", remedy="none", comparison="gap")
    assert (row["ci_low"] < 0 < row["ci_high"]) == (closed["isic2019", "pixel_unshuffle_8", "whiten", "whiten"] is None)


def test_a_gap_whose_interval_holds_zero_has_no_part_closed():
    def share(cell: dict) -> float:
        return half_by_whitening(cell) if cell["autoencoder"] != "sd14" or cell["space"] != "latent" else 0.9

    metrics, tests, rows = planted(share, recipes=["matched", "whiten"], autoencoders=["sd14", "flux1"])
    table = table6(metrics, tests, psnr_of(), rows, range(5))
    assert shares_closed(table, tests)["isic2019", "sd14", "whiten", "whiten"] is None
    text = render_table6(table, tests, LABELS)["md"]
    (line,) = [line for line in text.splitlines() if "whitened" in line and "| 0.0 | n/a | 30.0 |" in line]
    assert "whiten" in line


def test_a_gap_below_zero_has_nothing_to_close_and_two_folds_are_of_sampling_alone():
    def share(cell: dict) -> float:
        return {"latent": 0.75 if cell["recipe"] == "whiten" else 0.9}.get(cell["space"], 0.6)

    config = config_of(["matched", "whiten"], ["sd14"])
    config["study"]["folds"] = [0, 1]
    metrics, images = runs_of(config, share)
    rows = remedy_rows(config)
    tests = remedies(metrics, images, rows)
    table = table6(metrics, tests, psnr_of(), rows, range(2))
    assert shares_closed(table, tests)["isic2019", "sd14", "whiten", "whiten"] is None
    assert "whose variance is that of sampling alone" in render_table6(table, tests, LABELS)["md"]


def test_the_table_in_words_has_the_controls_last_and_says_what_is_synthetic(made):
    text = render_table6(*made[:2], LABELS, ["A note."])
    md = text["md"].splitlines()
    rows = [line for line in md if line.startswith("|")]
    assert rows[0].startswith("| Autoencoder | Remedy | GFLOP | MB | ISIC (phantom) LS |")
    assert [line.split(" | ")[0].strip("| ") for line in rows[2:] if not line.startswith("|  |")] == [
        "SD 1.4", "Flux.1", "SD 1.4, tuned", "SD 1.4-EQ", "Pixel unshuffle 8 (control)"
    ]  # fmt: skip
    whitened = next(line for line in rows if "whitened" in line)
    assert "| .750 \\[." in whitened
    assert whitened.endswith("| 15.0 | 50 % | 30.0 |")
    assert "| whitened | 0.0001 | 0 |" in whitened
    assert "| 0.0084 | 0 |" in next(line for line in rows if "low pass 25" in line)
    assert next(line for line in rows if "| none |" in line).endswith("| 30.0 | – | 30.0 |")
    assert "Phantom data" in text["md"]
    assert "A note." in text["html"]
    assert "∞" in text["html"]
    assert "What closes the gap" in text["tex"]
    assert "sampling alone" not in text["md"]


def test_a_remedy_that_closes_nothing_closes_no_negative_zero(made):
    table, tests, _ = made
    own = (table["autoencoder"] == "sd14") & (table["recipe"] == "rotate")
    wider = table.assign(gap=table["gap"].where(~own, 1.001 * table["gap_without"]))
    (line, *_) = [line for line in render_table6(wider, tests, LABELS)["md"].splitlines() if "rotated (null)" in line]
    assert line.endswith("| 30.0 | 0 % | 30.0 |")


def test_a_missing_fold_is_refused():
    metrics, tests, rows = planted(recipes=["matched", "whiten"], autoencoders=["sd14"])
    gone = metrics[(metrics["recipe"] != "whiten") | (metrics["fold"] < 4)]
    with pytest.raises(InputError, match="Table 6: isic2019, sd14, latent, whiten, fold 4 is missing"):
        table6(gone, tests, psnr_of(), rows, range(5))


def test_the_figure_has_every_gap_in_the_row_of_its_remedy(made, tmp_path):
    figure = draw_remedies(made[1], LABELS)
    (axes,) = figure.axes
    gaps = {(round(x, 6), round(y)) for line in lines(axes, "gap") for x, y in line}
    assert {(30.0, 0), (15.0, 1), (30.0, 2), (5.0, 1)} <= gaps
    assert len(lines(axes, "interval")) == len(lines(axes, "gap")) == 2 * 6 + 2 + 5
    shown = [label.get_text() for label in axes.get_yticklabels()]
    assert shown == [
        "none", "whitened", "rotated (null)", "low pass 50", "low pass 25",
        "decoder's blocks", "equivariant tuning",
    ]  # fmt: skip
    for word in ("SD 1.4-EQ", "Pixel unshuffle 8 (control)", "gap (points)", "Phantom data"):
        assert word in words(figure)
    assert files_of(figure, tmp_path, "a") == files_of(draw_remedies(made[1], LABELS), tmp_path, "b")
    assert_legible(figure)
    with pytest.raises(InputError, match=r"no run of study\.recipes\.remedies"):
        draw_remedies(made[1].iloc[:0], LABELS)
