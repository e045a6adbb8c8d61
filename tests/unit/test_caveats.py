"""Chance is named beside every score, and so is what spoils a number; on numbers whose truth is known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from learnability import cli
from learnability.storage.contracts import write_csv, write_json
from learnability.summary.headline import gap_matrix, tiles
from learnability.summary.page import render_summary
from learnability.summary.spoiled import beside, spoiled
from learnability.tables.caveats import (
    CHANCE,
    Spoiled,
    at_chance,
    below_psnr,
    chance_row,
    devices_note,
    guess_error,
    sentences,
    stopped_early,
)
from learnability.tables.labels import Labels, labels_of
from learnability.tables.table1 import render_table1, table1
from learnability.tables.table2 import render_table2, table2
from learnability.tables.table3 import render_table3
from learnability.tables.table4 import render_table4
from tests.findings import ROWS, SPEED, fidelity_of, frames_of_table4, made_up, metrics_of, table3_of
from tests.rendered import latex_rows
from tests.unit.test_summary import material_of

COUNTS = {"isic2019": {"a": 400, "b": 300, "c": 200, "d": 100}, "cardium": {"x": 500, "y": 100}}
LABELS = Labels(
    {"isic2019": "ISIC-2019", "cardium": "Cardium"},
    {"sd14": "SD 1.4", "flux2": "Flux.2"},
    rows={name: name for name in ROWS},
    counts=COUNTS,
    groups={"isic2019": 500, "cardium": 600},
)


def scores(image=0.7, reconstruction=0.7, latent=0.6, dataset="isic2019", folds=5):
    cells = {("original", "image"): image, ("sd14", "reconstruction"): reconstruction, ("sd14", "latent"): latent}
    rows = [
        (dataset, name, "baseline" if name == "original" else "family", space, space, metric, mean, 0.01, folds)
        for (name, space), mean in cells.items()
        for metric in ("balanced_accuracy", "auc", "mcc")
    ]
    columns = ["dataset", "autoencoder", "role", "space", "recipe", "metric", "mean", "sd", "n_folds"]
    return pd.DataFrame(rows, columns=columns)


def test_guesses_score_chance_with_this_error():
    """Guesses of each image's class, alike within half of each group: simulated."""
    generator, counts, groups = np.random.default_rng(0), COUNTS["isic2019"], 500
    label = np.concatenate([[k] * n for k, n in enumerate(counts.values())])  # two images per group
    shared = generator.integers(0, 4, (4000, groups)).repeat(2, axis=1)
    copied = generator.random((4000, 1000)) < 0.5**0.5
    right = np.where(copied, shared, generator.integers(0, 4, (4000, 1000))) == label
    recalls = np.mean([right[:, label == k].mean(axis=1) for k in range(4)], axis=0)
    assert recalls.mean() == pytest.approx(0.25, abs=0.001)
    assert guess_error(counts, groups) == pytest.approx(recalls.std(), rel=0.05)


def test_a_cell_is_at_chance_up_to_where_guesses_reach():
    above = 0.25 + 1.645 * guess_error(COUNTS["isic2019"], 500)
    found = at_chance(scores(image=above - 0.001, latent=above + 0.001), LABELS, 5)
    assert [(each.kind, each.autoencoder, each.space) for each in found] == [(CHANCE, "original", "image")]
    two_folds = at_chance(scores(latent=above + 0.005, folds=2), LABELS, 5)  # of fewer images
    assert [each.space for each in two_folds] == ["latent"]
    assert at_chance(scores(image=0.2), Labels({}, {}), 5) == []  # of an unknown number of classes


def test_what_spoils_a_number_is_said_in_a_sentence():
    found = at_chance(scores(0.25, 0.25, 0.24), LABELS, 5)
    found += [Spoiled(CHANCE, "isic2019", "flux2", "latent", ".240, chance .250")]
    assert sentences(found, LABELS.datasets, LABELS.autoencoders) == [
        "ISIC-2019: image space is at chance, so it shows no gap: images (.250, chance .250).",
        "ISIC-2019: reconstructions are at chance, so they show no gap: SD 1.4 (.250, chance .250).",
        "ISIC-2019: latents are at chance, so any gap is all that reconstructions score above it: SD 1.4 "
        "(.240, chance .250), Flux.2 (.240, chance .250).",
    ]


def test_trainings_that_stop_before_the_switch_are_counted():
    metrics = metrics_of({"isic2019": [0.1]}, autoencoders=("sd14",))
    metrics.loc[(metrics["space"] == "latent") & (metrics["fold"] < 2), "epochs"] = 6
    metrics.loc[metrics["space"] == "image", "epochs"] = 6  # so that its switch comes before
    found = stopped_early(metrics, {"latent": 6, "image": 5})
    assert [(each.space, each.value) for each in found] == [("latent", "2 of 5")]
    (text,) = sentences(found, LABELS.datasets, LABELS.autoencoders)
    assert text == "ISIC-2019: trainings on latents stopped before re-weighting began: SD 1.4 (2 of 5)."
    assert stopped_early(metrics, {}) == []  # a loss without a switch


def test_trainings_on_several_devices_are_a_footnote():
    metrics = metrics_of({"isic2019": [0.1], "cardium": [0.1]}, autoencoders=("sd14",))
    assert devices_note(metrics, LABELS.datasets) == []
    metrics.loc[(metrics["dataset"] == "cardium") & (metrics["fold"] == 2), "device"] = "cpu"
    assert devices_note(metrics, LABELS.datasets) == [
        "Trainings ran on several devices, which differ in the last digits, and a CPU from a GPU in precision: "
        "GPU (27 of 30), cpu (3: Cardium)."
    ]


def test_chance_is_a_row_of_table_1_and_its_caveats_are_footnotes():
    table = pd.concat([scores(0.25), scores(dataset="cardium")])
    rendered = render_table1(table, LABELS, caveats=at_chance(table, LABELS, 5))
    first = next(row for row in latex_rows(rendered["tex"]) if row[0] == "Chance")
    assert first == ["Chance", "--", ".250", ".500", ".000", ".500", ".500", ".000"]
    assert "ISIC-2019: image space is at chance, so it shows no gap" in rendered["html"]
    assert "Chance" not in render_table1(table, replace(LABELS, counts={}))["md"]


def test_chance_of_a_macro_average_is_the_mean_over_its_datasets():
    (row,) = (rows[0] for _, rows in chance_row([""], ["isic2019", "cardium", "macro"], ["balanced_accuracy"], LABELS))
    assert row == ["", ".250", ".500", ".375"]
    frames = frames_of_table4((("flux2", (*dict.fromkeys(ROWS, 0.0).items(),)),), 0.01, 5, ("isic2019", "cardium"))
    rendered = render_table4(frames["table4"], LABELS, frames["ablation"], {})
    first = next(row for row in latex_rows(rendered["tex"]) if row[0] == "Chance")
    assert first[:4] == ["Chance", "--", ".250", ".500"]


def test_chance_stands_in_table_3_without_a_cost():
    rendered = render_table3(table3_of("cardium"), replace(LABELS, rows={name: name for name in SPEED}))
    row = next(row for row in latex_rows(rendered["tex"]) if "Chance" in row)
    assert row[1:] == ["Chance", ".500", ".500", ".000", "--", "--", "--", "--"]


def test_poor_reconstructions_are_named_below_table_2():
    table = table2(fidelity_of(["isic2019"], (19.9, 20.1), ("sd14", "flux2")))
    assert [each.autoencoder for each in below_psnr(table)] == ["sd14"]
    said = "ISIC-2019: reconstructions are below 20 dB, so they hardly resemble the images: SD 1.4 (19.9 dB)."
    assert said in render_table2(table, LABELS)["html"]


def test_show_prints_chance_and_what_spoils(tmp_path, capsys):
    write_csv(scores(0.24), tmp_path / "tables/table1.csv")
    write_csv(table2(fidelity_of(["isic2019"], (12.0,), ("sd14",))), tmp_path / "tables/table2.csv")
    card = {"synthetic": False, "counts": COUNTS["isic2019"], "groups": 500}
    write_json(card, tmp_path / "datasets/isic2019/dataset.json")
    write_json({"n_splits": 5}, tmp_path / "study.json")
    cli.main(["show", str(tmp_path)])
    printed = " ".join(capsys.readouterr().out.split())
    assert " chance │ – │ 0.250 " in printed
    assert "isic2019: image space is at chance, so it shows no gap: images (.240, chance .250)." in printed
    assert "sd14 (12.0 dB)." in printed


def test_the_summary_says_it_beside_the_gap_and_below(tmp_path):
    study = made_up(psnr=(12.0, 40.2, 41.4, 29.9, 38.9))
    counts = {name: {"a": 300, "b": 300} for name in study.datasets()} | {"isic2019": {"a": 40, "b": 20}}
    labels = replace(study.labels, counts=counts, groups=dict.fromkeys(counts, 60))
    study.frames["table1"].loc[lambda rows: (rows["space"] == "image") & (rows["dataset"] == "isic2019"), "mean"] = 0.5
    study = replace(study, labels=labels)
    found = spoiled(study, metrics_of(), {"latent": 20})
    assert beside(found, "isic2019", "flux2").startswith("images at chance, ")
    assert "below 20 dB" in beside(found, "ct_rate", "sd14")
    at_chance_too = [Spoiled(CHANCE, "ct_rate", "sd14", "reconstruction", ".5")]
    assert beside(at_chance_too, "ct_rate", "sd14") == "reconstructions at chance"
    assert beside(found, "ct_rate", "flux2") == "stopped before re-weighting"
    cells = gap_matrix(study, found)["rows"][0]["cells"]
    assert ["below 20 dB" in cell["spoiled"] for cell in cells] == [True] * 4
    assert tiles(study)[0]["note"] == "mean balanced accuracy; chance .500"
    page = render_summary(study, replace(material_of(tmp_path, study), parameters={"reweighting": {"latent": 20}}))
    assert "ISIC-2019: image space is at chance, so it shows no gap: images (.500, chance .500)." in page
    assert '<small class="spoiled">images at chance' in page


def test_labels_know_the_classes_from_the_cards():
    card = {"dataset": "isic2019", "synthetic": False, "counts": COUNTS["isic2019"], "groups": 500}
    labels = labels_of({"datasets": {}, "autoencoders": {}}, [card, {"dataset": "old", "synthetic": False}])
    assert (labels.counts, labels.groups) == ({"isic2019": COUNTS["isic2019"]}, {"isic2019": 500})


def test_a_table_of_runs_carries_what_its_runs_say():
    """Chance comes from the table and early stopping from the runs, as in make_table1."""
    metrics = metrics_of({"isic2019": [0.45]}, autoencoders=("sd14",))
    table = table1(metrics, range(5))
    found = at_chance(table, LABELS, 5) + stopped_early(metrics, {"latent": 20})
    assert (found[0].kind, found[0].space) == (CHANCE, "latent")
    assert len(found) == 2
