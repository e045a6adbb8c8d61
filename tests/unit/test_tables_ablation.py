"""Table 4 and the ablation's controls: numbers by hand, marks from the tests, and what a reader sees."""

import functools
import re
import statistics
from itertools import product

import numpy as np
import pandas as pd
import pytest

from learnability.errors import InputError
from learnability.significance.ablation import ablation
from learnability.tables.labels import Labels
from learnability.tables.table4 import ablation_controls, render_ablation_controls, render_table4, table4
from tests.rendered import html_grid, latex_rows, markdown_rows, side_by_side
from tests.scored_runs import SCORES, of, only, scored_runs, without

DATASETS = ("ct_rate", "isic2019", "cardium")
FOLDS = [0, 1, 2, 3, 4]
ROWS = {
    "reconstruction": ("reconstruction", "image"),
    "latent": ("latent", "latent"),
    "tuned": ("latent", "tuned"),
}
BOTH = [(name, *row) for name in ("sd14", "flux2") for row in ROWS.values()]
LABELS = Labels(
    {"isic2019": "ISIC-2019", "ct_rate": "CT-RATE", "cardium": "Cardium"},
    {"flux2": "Flux.2", "sd14": "SD 1.4"},
    rows={"latent": "Latent", "reconstruction": "Reconstruction", "tuned": "+ tuning", "matched": "Matched"},
)
CONTROL_ROWS = [
    ("latent", "tuned", "flux2"),
    ("image", "matched", "original"),
    ("latent", "matched", "flux2"),
    ("reconstruction", "matched", "flux2"),
]


@functools.cache
def both_tested():
    """The tests of `scored_runs(BOTH)`; a test that changes them changes a copy."""
    return ablation(scored_runs(BOTH), ROWS)


def chosen_tests(metrics, p_corrected):
    """The tests of these runs, with chosen corrected p-values by (dataset, row, reference), all others 1."""
    tests = (both_tested() if metrics is None else ablation(metrics, ROWS)).astype(object)
    tests["p_corrected"] = 1.0
    for (dataset, row, reference), p in p_corrected.items():
        chosen = (tests["dataset"] == dataset) & (tests["comparison"] == f"{row}_vs_{reference}")
        assert chosen.any()
        tests.loc[chosen & (tests["test"] == "corrected_paired_t"), "p_corrected"] = p
    return tests


def rendered_table4(metrics=None, p_corrected=None, searched=None, labels=LABELS, **options):
    tests = chosen_tests(metrics, p_corrected or {})
    metrics = scored_runs(BOTH) if metrics is None else metrics
    folds = sorted(set(metrics["fold"]))
    return render_table4(table4(metrics, ROWS, folds), labels, tests, searched or {}, **options)


# ---- Frames ----


def test_table4_is_mean_and_sample_sd_over_folds():
    metrics = scored_runs(BOTH)
    table = table4(metrics, ROWS, FOLDS)
    columns = ["dataset", "autoencoder", "row", "space", "recipe", "metric", "mean", "sd", "n_folds"]
    assert list(table.columns) == columns
    assert len(table) == 2 * 3 * 3 * (len(DATASETS) + 1)
    for dataset, (row, cell), metric in product((*DATASETS, "macro"), ROWS.items(), SCORES):
        names = [dataset] if dataset != "macro" else DATASETS
        values = np.mean([of(metrics, name, "flux2", *cell, metric) for name in names], axis=0).tolist()
        found = only(table, dataset=dataset, autoencoder="flux2", row=row, metric=metric)
        assert (found["space"], found["recipe"], found["n_folds"]) == (*cell, 5)
        assert found["mean"] == pytest.approx(statistics.fmean(values))
        assert found["sd"] == pytest.approx(statistics.stdev(values))


def test_table4_keeps_the_order_of_rows_and_ends_with_the_macro_average():
    table = table4(scored_runs(BOTH), ROWS, FOLDS)
    assert list(table["dataset"].unique()) == [*DATASETS, "macro"]
    assert list(table["row"].unique()) == [*ROWS]


def test_table4_has_no_macro_average_of_an_autoencoder_that_is_not_on_all_datasets():
    table = table4(without(scored_runs(BOTH), dataset="isic2019", autoencoder="sd14"), ROWS, FOLDS)
    pairs = set(table[["dataset", "autoencoder"]].itertuples(index=False, name=None))
    assert pairs == {*product((*DATASETS, "macro"), ["flux2"]), ("ct_rate", "sd14"), ("cardium", "sd14")}


@pytest.mark.parametrize(
    ("gone", "named"),
    [
        ({"recipe": "tuned", "autoencoder": "sd14"}, "autoencoder sd14, space latent, recipe tuned, fold 0 is missing"),
        ({"recipe": "tuned", "dataset": "isic2019", "fold": 3}, "isic2019, .*latent, recipe tuned, fold 3 is missing"),
        ({"fold": 3}, "ct_rate, autoencoder sd14, .*fold 3 is missing"),
    ],
)
def test_table4_names_a_missing_run(gone, named):
    with pytest.raises(InputError, match=named):
        table4(without(scored_runs(BOTH), **gone), ROWS, FOLDS)


def test_table4_names_a_fold_that_the_study_does_not_have():
    with pytest.raises(InputError, match=r"Table 4: dataset ct_rate, .*fold 4 has 1 row\(s\); expected folds"):
        table4(scored_runs(BOTH), ROWS, FOLDS[:4])


def test_no_runs_at_all_is_an_error():
    for build in (table4, ablation_controls):
        with pytest.raises(InputError, match="no metrics; expected one row per cell and fold"):
            build(scored_runs(BOTH).head(0), {}, FOLDS)


def test_controls_are_the_same_means_of_any_cell():
    metrics = scored_runs([(name, space, recipe) for space, recipe, name in CONTROL_ROWS])
    table = ablation_controls(metrics, CONTROL_ROWS, FOLDS)
    assert len(table) == len(CONTROL_ROWS) * 3 * (len(DATASETS) + 1)
    assert (table["row"] == table["recipe"]).all()
    for dataset, (space, recipe, name) in product(DATASETS, CONTROL_ROWS):
        found = only(table, dataset=dataset, autoencoder=name, row=recipe, space=space, metric="mcc")
        assert found["mean"] == pytest.approx(of(metrics, dataset, name, space, recipe, "mcc").mean())
    macro = only(table, dataset="macro", autoencoder="original", row="matched", metric="auc")
    values = np.mean([of(metrics, name, "original", "image", "matched", "auc") for name in DATASETS], axis=0)
    assert (macro["mean"], macro["sd"]) == pytest.approx((values.mean(), values.std(ddof=1)))


def test_controls_name_an_autoencoder_without_any_run():
    metrics = scored_runs([("flux2", "latent", "tuned")])
    with pytest.raises(InputError, match="Ablation controls: autoencoder original has no run"):
        ablation_controls(metrics, CONTROL_ROWS, FOLDS)


# ---- Table 4 as it is read ----


def test_table4_layout():
    rendered = rendered_table4(with_sd=False, footnotes=["A note."])
    heads, *rows = markdown_rows(rendered["md"])
    datasets = ["ISIC-2019", "CT-RATE", "Cardium", "Macro"]
    assert heads == ["Autoencoder", "Row", *(f"{d} {m}" for d in datasets for m in ("bACC", "AUC", "MCC"))]
    names = ["Reconstruction", "Latent", "+ tuning"]
    assert [row[:2] for row in rows] == [
        [autoencoder if not i else "", name] for autoencoder in ("Flux.2", "SD 1.4") for i, name in enumerate(names)
    ]
    macro = only(table4(scored_runs(BOTH), ROWS, FOLDS), dataset="macro", autoencoder="sd14", row="tuned", metric="mcc")
    assert rows[-1][-1] == f"{macro['mean']:.3f}".removeprefix("0")
    top, second, *body = html_grid(rendered["html"])
    assert top == ["Autoencoder", "Row", *(name for name in datasets for _ in range(3))]
    assert second[2:] == ["bACC", "AUC", "MCC"] * 4
    assert [row[1:] for row in body[:-1]] == [row[1:] for row in rows]
    assert set(body[-1]) == {"A note."}
    top, second, *body = side_by_side(latex_rows(rendered["tex"]), stubs=2)
    assert top[2:] == [name for name in datasets for _ in range(3)]
    assert body == rows
    assert (
        re.search(r"\\begin{tabular}{@{}([lc]+)@{}}", rendered["tex"])[1] == "ll" + "c" * 9
    )  # the macro mean is below


def test_a_score_has_the_mark_of_each_row_that_it_differs_from():
    p = {
        ("isic2019", "tuned", "latent"): 0.049,
        ("isic2019", "tuned", "reconstruction"): 0.01,
        ("ct_rate", "tuned", "latent"): 0.05,
        ("cardium", "latent", "reconstruction"): 0.001,
        ("macro", "reconstruction", "latent"): 0.001,
    }
    rendered = rendered_table4(p_corrected=p, with_sd=False)
    _, *rows = markdown_rows(rendered["md"])
    marks = [[re.sub(r"[-.\d]", "", cell) for cell in row[2::3]] for row in rows]
    of_block = [["", "", "", "†"], ["", "", "‡", ""], ["†‡", "", "", ""]]
    assert marks == of_block * 2
    assert latex_rows(rendered["tex"])[4][2].endswith(r"$\dagger$$\ddagger$")
    for text in (rendered["md"], rendered["html"]):
        assert "† differs from the row Latent, ‡ differs from the row Reconstruction: p &lt; .05" in text or (
            "† differs from the row Latent, ‡ differs from the row Reconstruction: p \\< .05" in text
        )


def test_plain_t_tests_leave_no_mark():
    tests = chosen_tests(None, {})
    tests.loc[tests["test"] == "paired_t", ["p", "p_corrected"]] = 1e-9
    rendered = render_table4(table4(scored_runs(BOTH), ROWS, FOLDS), LABELS, tests, {})
    assert not any(set("†‡") & set(cell) for row in markdown_rows(rendered["md"]) for cell in row)


def test_tests_as_read_from_their_file_give_the_same_table(tmp_path):
    metrics = scored_runs(BOTH)
    metrics.loc[metrics["recipe"] == "latent", SCORES] -= 0.25
    tests = ablation(metrics, ROWS)
    tests.to_csv(tmp_path / "ablation.csv", index=False)
    table, read = table4(metrics, ROWS, FOLDS), pd.read_csv(tmp_path / "ablation.csv", keep_default_na=False)
    expected, found = (render_table4(table, LABELS, frame, {}) for frame in (tests, read))
    assert found == expected
    assert "†" in expected["md"].partition("\n\n")[2], "else there was no mark to lose"


def test_a_cell_without_its_test_is_an_error():
    tests = without(both_tested(), dataset="cardium", comparison="tuned_vs_latent", autoencoder="sd14")
    with pytest.raises(InputError, match="no test of cardium, sd14, balanced_accuracy, tuned_vs_latent"):
        render_table4(table4(scored_runs(BOTH), ROWS, FOLDS), LABELS, tests, {})


def test_one_fold_has_no_marks_and_no_spread():
    metrics = scored_runs(BOTH, folds=[2])
    text = render_table4(table4(metrics, ROWS, [2]), LABELS, ablation(metrics, ROWS), {})["md"]
    assert "one fold." in text
    assert not set("†‡±") & set(text)


@pytest.mark.parametrize(("scope", "mark"), [("fold", "⋆"), ("fold0", "⋆⋄")])
def test_a_searched_row_is_marked_with_its_scope(scope, mark):
    rendered = rendered_table4(searched={"tuned": scope})
    assert [row[1] for row in markdown_rows(rendered["md"])[1:4]] == ["Reconstruction", "Latent", f"+ tuning {mark}"]
    assert "⋆ searched only on training and validation rows." in rendered["md"]
    assert ("⋄ one search, on fold 0, serves all folds" in rendered["md"]) == (scope == "fold0")
    assert ("⋄" in rendered["md"]) == (scope == "fold0")
    assert not set(rendered["tex"]) & set("⋆⋄†‡±<")
    assert ("$\\star$$\\diamond$" if scope == "fold0" else "$\\star$") in latex_rows(rendered["tex"])[4][1]


def test_without_a_search_there_is_no_star():
    assert "⋆" not in rendered_table4()["md"]


def test_a_study_of_one_dataset_shows_no_macro_average():
    rendered = rendered_table4(scored_runs(BOTH, datasets=["cardium"]))
    assert len(markdown_rows(rendered["md"])[0]) == 2 + 3
    assert "Macro" not in rendered["html"]


def test_a_dash_marks_an_autoencoder_that_was_not_run():
    rendered = rendered_table4(without(scored_runs(BOTH), dataset="isic2019", autoencoder="sd14"))
    last = markdown_rows(rendered["md"])[-1]
    assert (last[2:5], last[-3:]) == (["–"] * 3, ["–"] * 3)
    assert "–" not in last[5:-3]


@pytest.mark.parametrize("gone", ["datasets", "autoencoders", "rows"])
def test_what_has_no_label_is_refused(gone):
    kept = {"datasets": LABELS.datasets, "autoencoders": LABELS.autoencoders, "rows": LABELS.rows} | {gone: {}}
    with pytest.raises(InputError, match="is in the table but has no label"):
        rendered_table4(labels=Labels(**kept))


def both_rendered(labels: Labels) -> list[str]:
    """Table 4 and the controls in every format."""
    metrics = scored_runs([(name, space, recipe) for space, recipe, name in CONTROL_ROWS])
    controls = render_ablation_controls(ablation_controls(metrics, CONTROL_ROWS, FOLDS), labels)
    return [*rendered_table4(labels=labels).values(), *controls.values()]


def test_equal_images_that_were_kept_are_a_footnote():
    labels = Labels(LABELS.datasets, LABELS.autoencoders, rows=LABELS.rows, leaking={"cardium": 7})
    for text in both_rendered(labels):
        assert "Cardium: 7 images have an identical copy in another group and were kept" in text


def test_phantoms_are_named_as_such():
    labels = Labels(LABELS.datasets, LABELS.autoencoders, frozenset({"cardium"}), LABELS.rows)
    for text in both_rendered(labels):
        assert "Cardium (phantom)" in text
        assert "Phantom data: synthetic images, not patients." in text
    assert "hantom" not in rendered_table4()["html"]


# ---- The controls as they are read ----


def test_controls_layout():
    metrics = scored_runs([(name, space, recipe) for space, recipe, name in CONTROL_ROWS])
    table = ablation_controls(metrics, CONTROL_ROWS, FOLDS)
    rendered = render_ablation_controls(table, LABELS, ["A note."])
    heads, *rows = markdown_rows(rendered["md"])
    assert heads[:4] == ["Autoencoder", "Classifier", "Sp.", "ISIC-2019 bACC"]
    assert [row[:3] for row in rows] == [
        ["Image Space", "Matched", "IS"],
        ["Flux.2", "+ tuning", "LS"],
        ["", "Matched", "LS"],
        ["", "Matched", "RS"],
    ]
    first = only(table, dataset="isic2019", autoencoder="original", metric="balanced_accuracy")
    shown = [f"{value:.3f}".removeprefix("0") for value in (first["mean"], first["sd"])]
    assert rows[0][3] == " ± ".join(shown)
    assert [row[1:] for row in html_grid(rendered["html"])[2:-1]] == [row[1:] for row in rows]
    in_latex = side_by_side(latex_rows(rendered["tex"]), stubs=3)[2:]
    assert [[cell.replace(r"$\pm$", " ± ") for cell in row] for row in in_latex] == rows
    assert r"\label{tab:ablationcontrols}" in rendered["tex"]
    assert rendered["md"].endswith("A note.\n")


def test_a_cell_that_is_there_twice_is_refused():
    table = ablation_controls(scored_runs([("flux2", "latent", "tuned")]), CONTROL_ROWS[:1], FOLDS)
    with pytest.raises(InputError, match="two rows for dataset ct_rate, autoencoder flux2, row tuned"):
        render_ablation_controls(pd.concat([table, table]), LABELS)
