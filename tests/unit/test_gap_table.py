"""The table of the gap: its numbers come from the tests, and it says which scores are at chance."""

from dataclasses import replace

import pandas as pd
import pytest

from learnability.significance.gap import latent_vs_reconstruction
from learnability.tables.gap import GAP_COLUMNS, gap_table, render_gap
from learnability.tables.labels import Labels
from learnability.tables.table1 import table1
from tests.rendered import html_grid, markdown_rows
from tests.scored_runs import only, scored_runs

DATASETS = {"isic2019": "ISIC-2019", "cardium": "Cardium"}
COUNTS = {"a": 50, "b": 50}
LABELS = Labels(
    DATASETS,
    {"sd14": "SD 1.4", "unshuffle": "Unshuffle"},
    frozenset({"cardium"}),
    counts={"cardium": COUNTS},
    groups={"cardium": 100},
)


@pytest.fixture
def files():
    """Table 1 and the tests of its gap as they are read, all text; SD 1.4's latents of Cardium are at chance."""
    cells = [(name, space, "r") for name in ("sd14", "unshuffle") for space in ("latent", "reconstruction")]
    metrics = scored_runs(cells, datasets=[*DATASETS]).replace({"role": {"unshuffle": "control"}})
    metrics.loc[metrics["space"] == "reconstruction", "balanced_accuracy"] += 0.3
    over_folds = latent_vs_reconstruction(metrics)
    chosen = (over_folds["test"] == "corrected_paired_t") & (over_folds["metric"] == "balanced_accuracy")
    groups = over_folds[chosen].assign(test="paired_groups", method="sampling and training")
    groups = groups.astype(object).assign(ci_low=0.251, ci_high=0.349, p=0.0123, p_corrected=0.0246)
    groups["p_corrected"] = groups["p_corrected"].where(groups["role"] == "family", "n/a")
    return table1(metrics, range(5)), over_folds.astype(str), groups.astype(str).reset_index(drop=True)


def test_the_numbers_are_those_of_the_tests(files):
    found = gap_table(*files, LABELS, 5)
    assert list(found) == GAP_COLUMNS
    assert len(found) == 4
    assert set(found["method"]) == {"sampling and training"}
    for row in found.to_dict("records"):
        test = only(files[2], dataset=row["dataset"], autoencoder=row["autoencoder"])
        assert [row["gap"], row["ci_low"], row["p_corrected"]] == [test["effect"], "0.251", test["p_corrected"]]
    assert set(found.loc[found["role"] == "control", "p_corrected"]) == {"n/a"}


def test_what_is_at_chance_is_said_and_of_unknown_classes_nothing(files):
    found = gap_table(*files, LABELS, 5)
    cell = only(found, dataset="cardium", autoencoder="sd14")
    assert (cell["chance_latent"], cell["chance_reconstruction"]) == (True, False)
    assert set(found.loc[found["dataset"] == "isic2019", "chance_latent"]) == {"n/a"}
    notes = render_gap(found, files[0], LABELS, 5)["md"].splitlines()
    assert any(note.startswith("Cardium (phantom): latents are at chance") for note in notes)


def test_from_two_folds_the_test_over_folds_decides(files):
    table, over_folds, groups = files
    found = gap_table(table, over_folds, groups.assign(method="sampling only"), LABELS, 5)
    (test,) = over_folds[
        (over_folds["test"] == "corrected_paired_t")
        & (over_folds["metric"] == "balanced_accuracy")
        & (over_folds["dataset"] == "cardium")
        & (over_folds["autoencoder"] == "sd14")
    ].to_dict("records")
    row = only(found, dataset="cardium", autoencoder="sd14")
    assert (row["p"], row["p_corrected"], row["ci_high"]) == (test["p"], test["p_corrected"], "0.349")
    text = render_gap(found, table.assign(n_folds=2), LABELS, 5)["md"]
    assert "that of sampling alone, because of fewer than 3 folds" in text
    assert "by the t-test over folds" in text


def test_a_reader_sees_gap_star_and_interval(files):
    found = gap_table(*files, LABELS, 5)
    rendered = render_gap(found, files[0], LABELS, 5, ["A note."])
    heads, *rows = markdown_rows(rendered["md"])
    assert heads[1:3] == ["ISIC-2019 gap", "ISIC-2019 95 % interval"]
    gap = 100 * float(only(found, dataset="isic2019", autoencoder="sd14")["gap"])
    assert rows[0][:3] == ["SD 1.4", f"{gap:.1f}*".replace("*", r"\*"), r"\[25.1, 34.9\]"]
    assert rows[1][0] == "Unshuffle (control)"
    assert "*" not in rows[1][1]
    assert html_grid(rendered["html"])[2][0] == "SD 1.4"
    assert all("not patients" in text for text in rendered.values())
    assert "A note." in rendered["html"]
    assert "% A note." in rendered["tex"]


def test_two_autoencoders_of_one_label_have_a_row_each(files):
    labels = replace(LABELS, autoencoders=LABELS.autoencoders | {"flux2": "SD 1.4"})
    found = gap_table(*files, LABELS, 5)
    twice = pd.concat([found, found[found["autoencoder"] == "sd14"].assign(autoencoder="flux2")])
    assert render_gap(twice, files[0], labels, 5)["tex"].count("SD 1.4 &") == 2


def test_a_pair_without_a_gap_is_a_dash(files):
    found = gap_table(*files, LABELS, 5)
    part = found[~((found["dataset"] == "cardium") & (found["autoencoder"] == "unshuffle"))]
    rendered = render_gap(part, files[0], LABELS, 5)
    assert markdown_rows(rendered["md"])[2][3:] == ["–", "–"]
    assert "& -- " in rendered["tex"]


def test_an_own_frame_is_not_changed(files):
    before = [frame.copy() for frame in files]
    gap_table(*files, LABELS, 5)
    for frame, old in zip(files, before, strict=True):
        pd.testing.assert_frame_equal(frame, old)
