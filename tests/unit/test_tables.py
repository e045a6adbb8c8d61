"""Tables 1 and 2 against numbers worked out by hand, and against what a reader of each format sees."""

import re
import shutil
import statistics
import subprocess
from dataclasses import replace
from itertools import product
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from learnability.errors import InputError
from learnability.tables.labels import Labels, labels_of
from learnability.tables.layout import points, whole_points
from learnability.tables.table1 import render_table1, table1
from learnability.tables.table2 import render_table2, table2
from tests.rendered import html_grid, latex_rows, markdown_rows

LABELS = Labels(
    datasets={"isic2019": "ISIC-2019", "cardium": "Cardium"},
    autoencoders={"sd14": "SD 1.4", "flux1": "Flux.1", "random_init": "Random", "unshuffle": "Unshuffle"},
)
ROLES = {"original": "baseline", "flux1": "family", "sd14": "family"}
NASTY = r"CT_RATE & <x> 50% #1 $5 {a} ~^\ |*[b]"
NASTY_TEX = (
    r"CT\_RATE \& \textless{}x\textgreater{} 50\% \#1 \$5 \{a\} \textasciitilde{}\textasciicircum{}"
    r"\textbackslash{} \textbar{}{*}{[}b]"
)


def metrics_frame(cells, folds=(0, 1, 2), datasets=("cardium", "isic2019")):
    """One row per dataset, (autoencoder, space) and fold, every value different."""
    rows = []
    for number, (dataset, (autoencoder, space), fold) in enumerate(product(datasets, cells, folds)):
        recipe = "latent" if space == "latent" else "image"
        scores = {"balanced_accuracy": 0.3 + number**2 / 900, "auc": 0.5 + number / 99, "mcc": number / 77}
        identity = {"dataset": dataset, "autoencoder": autoencoder, "space": space, "recipe": recipe}
        rows.append({**identity, "role": ROLES.get(autoencoder, "control"), "fold": fold, "seed": fold, **scores})
    return pd.DataFrame(rows)


CELLS = [("original", "image"), *product(("flux1", "sd14"), ("latent", "reconstruction"))]
CONTROLS = [("unshuffle", "latent"), ("unshuffle", "reconstruction"), ("random_init", "latent")]


def fidelity_frame(**values):
    """One row per image of one dataset; values are autoencoder=[(psnr, ssim), ...]."""
    rows = [
        {"dataset": "isic2019", "autoencoder": name, "role": ROLES.get(name, "control"), "sample_id": f"s{i}"}
        | {"psnr": psnr, "ssim": ssim}
        for name, pairs in values.items()
        for i, (psnr, ssim) in enumerate(pairs)
    ]
    return pd.DataFrame(rows)


def value(table, **where):
    """The one row of a long table that matches."""
    mask = np.logical_and.reduce([table[name] == wanted for name, wanted in where.items()])
    assert mask.sum() == 1
    return table[mask].iloc[0]


def long_table1(mean, sd=0.012, n_folds=5, **changes):
    """A Table 1 of one cell, for the printing of its numbers."""
    row = {"dataset": "cardium", "autoencoder": "original", "role": "baseline", "space": "image"}
    row |= {"recipe": "image", "metric": "mcc", "mean": mean, "sd": sd, "n_folds": n_folds}
    return pd.DataFrame([row | changes])


def test_table1_is_mean_and_sample_sd_over_folds():
    metrics = metrics_frame(CELLS)
    table = table1(metrics, [0, 1, 2])
    identity = ["dataset", "autoencoder", "role", "space", "recipe"]
    assert list(table.columns) == [*identity, "metric", "mean", "sd", "n_folds"]
    assert len(table) == 2 * len(CELLS) * 3
    assert set(table["n_folds"]) == {3}
    for dataset, (autoencoder, space) in product(("isic2019", "cardium"), CELLS):
        where = {"dataset": dataset, "autoencoder": autoencoder, "space": space}
        runs = metrics.query("dataset == @dataset and autoencoder == @autoencoder and space == @space")
        for metric in ("balanced_accuracy", "auc", "mcc"):
            row = value(table, metric=metric, **where)
            assert row["mean"] == pytest.approx(statistics.fmean(runs[metric]), rel=1e-12)
            assert row["sd"] == pytest.approx(statistics.stdev(runs[metric]), rel=1e-12)
            assert (row["role"], row["recipe"]) == (runs["role"].iloc[0], runs["recipe"].iloc[0])


def test_table1_of_three_known_numbers():
    metrics = metrics_frame([("original", "image")], datasets=["cardium"]).assign(mcc=[0.2, 0.3, 0.7])
    row = value(table1(metrics, [0, 1, 2]), metric="mcc")
    assert (row["mean"], row["sd"]) == pytest.approx((0.4, 0.07**0.5))


def test_table1_keeps_the_order_of_first_appearance():
    table = table1(metrics_frame(CELLS), [0, 1, 2])
    seen = list(dict.fromkeys(table[["dataset", "autoencoder", "space"]].itertuples(index=False, name=None)))
    assert seen == [(dataset, *cell) for dataset in ("cardium", "isic2019") for cell in CELLS]
    assert list(table["metric"][:3]) == ["balanced_accuracy", "auc", "mcc"]


def test_table1_does_not_depend_on_the_order_of_folds():
    metrics = metrics_frame([("original", "image")], folds=range(5), datasets=["cardium"])
    # In double precision these sum to 0.6000000000000001 or 0.6 depending on the order.
    metrics["mcc"] = [0.1, 0.2, 0.3, 0.0, 0.0]
    pd.testing.assert_frame_equal(table1(metrics, range(5)), table1(metrics[::-1], range(5)), check_exact=True)


def test_table1_of_a_single_fold_has_sd_zero():
    table = table1(metrics_frame(CELLS, folds=[2]), [2])
    assert set(table["sd"]) == {0.0}
    assert set(table["n_folds"]) == {1}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop(7), "fold 1 is missing"),
        (lambda frame: pd.concat([frame, frame.loc[[7]]]), "fold 1 has 2 row"),
        (lambda frame: frame.replace({"fold": {2: 4}}), "fold 2 is missing; expected folds"),
        (lambda frame: pd.concat([frame, frame.loc[[7]].assign(fold=4)]), "fold 4 has 1 row"),
        (lambda frame: frame.assign(auc=frame["auc"].where(frame.index != 7)), "fold 1: auc"),
        (
            lambda frame: frame.assign(mcc=frame["mcc"].astype(object).where(frame.index != 7, None)),
            "fold 1: mcc",
        ),
    ],
)
def test_table1_refuses_wrong_folds_and_names_the_cell(change, message):
    metrics = metrics_frame([("flux1", "reconstruction"), ("sd14", "latent")], datasets=["isic2019", "cardium"])
    # Rows 6 to 8 are folds 0 to 2 of the third cell.
    metrics = pd.concat([metrics[:6], change(metrics[6:9]), metrics[9:]])
    where = "dataset cardium, autoencoder flux1, role family, space reconstruction, recipe image"
    with pytest.raises(InputError, match=f"{where}, {message}"):
        table1(metrics, [0, 1, 2])


@pytest.mark.parametrize("build", [lambda frame: table1(frame, [0]), table2])
def test_no_rows_at_all_is_an_error(build):
    with pytest.raises(InputError, match="expected one row"):
        build(metrics_frame([]))


def test_table2_is_mean_and_sample_sd_over_images():
    table = table2(fidelity_frame(sd14=[(30.0, 0.9), (34.0, 0.8), (35.0, 0.4)], flux1=[(40.0, 0.5)]))
    assert list(table.columns) == ["dataset", "autoencoder", "role", "metric", "mean", "sd", "n", "identical"]
    assert list(table["autoencoder"]) == ["sd14", "sd14", "flux1", "flux1"]
    psnr, ssim = (value(table, autoencoder="sd14", metric=metric) for metric in ("psnr", "ssim"))
    assert (psnr["mean"], psnr["sd"], psnr["n"]) == pytest.approx((33.0, 7**0.5, 3))
    assert (ssim["mean"], ssim["sd"], ssim["role"]) == (
        pytest.approx(0.7),
        pytest.approx(0.07**0.5),
        "family",
    )
    single = value(table, autoencoder="flux1", metric="psnr")
    assert (single["mean"], single["sd"], single["n"]) == (40.0, 0.0, 1)


def test_one_image_that_came_back_identical_decides_no_mean():
    sd14 = [(np.inf, 1.0), (30.0, 0.9), (31.0, 0.8)]
    table = table2(fidelity_frame(unshuffle=[(np.inf, 1.0)] * 2, sd14=sd14, flux1=[(31.0, 0.9)] * 3))
    lossless, mixed = (value(table, autoencoder=name, metric="psnr") for name in ("unshuffle", "sd14"))
    assert (lossless["mean"], lossless["sd"], lossless["n"], lossless["identical"]) == (np.inf, 0.0, 2, 2)
    assert (mixed["mean"], mixed["sd"], mixed["n"], mixed["identical"]) == (30.5, 0.5**0.5, 3, 1)
    assert value(table, autoencoder="sd14", metric="ssim")["mean"] == pytest.approx(0.9)  # over all three
    assert value(table, autoencoder="flux1", metric="psnr")["identical"] == 0
    assert not table.isna().any(axis=None)
    text = render_table2(table, LABELS, ["Own note."])["md"]
    assert "| 1.000 | ∞ |" in text
    assert "| 30.5 |" in text
    assert "**31.0**" in text  # and not the one with an image that came back identical
    note = "Images that came back identical have no finite PSNR and are not in its mean: 1 of 3 (ISIC-2019, SD 1.4)."
    assert text.endswith(f"Own note.\n\n{note}\n")
    assert "identical" not in render_table2(table2(fidelity_frame(sd14=sd14[1:])), LABELS)["md"]


@pytest.mark.parametrize("metric", ["psnr", "ssim"])
def test_table2_refuses_nan_and_names_the_image(metric):
    fidelity = fidelity_frame(sd14=[(30.0, 0.9), (31.0, 0.8)])
    fidelity.loc[1, metric] = np.nan
    with pytest.raises(InputError, match="dataset isic2019, autoencoder sd14, sample_id s1: psnr or ssim is NaN"):
        table2(fidelity)


def test_table2_refuses_an_image_that_is_there_twice():
    fidelity = fidelity_frame(sd14=[(30.0, 0.9), (31.0, 0.8)]).replace({"sample_id": {"s1": "s0"}})
    with pytest.raises(InputError, match="autoencoder sd14, sample_id s0: two rows"):
        table2(fidelity)


@pytest.mark.parametrize(
    ("mean", "printed"),
    [
        (0.9241, ".924"),
        (0.9996, "1.000"),
        (1.0, "1.000"),
        (-0.012, "-.012"),
        (-1.0, "-1.000"),
        (-0.0001, ".000"),
        (0.05, ".050"),
    ],
)
def test_a_score_is_printed_as_in_the_paper(mean, printed):
    plain = render_table1(long_table1(mean), LABELS, with_sd=False)
    assert markdown_rows(plain["md"])[1][-1] == printed
    assert html_grid(plain["html"])[2][-1] == printed
    assert latex_rows(plain["tex"])[2][-1] == re.sub("^-", "$-$", printed)
    spread = render_table1(long_table1(mean), LABELS)
    assert markdown_rows(spread["md"])[1][-1] == f"{printed} ± .012"
    assert html_grid(spread["html"])[2][-1] == f"{printed} ± .012"
    assert latex_rows(spread["tex"])[2][-1] == re.sub("^-", "$-$", printed) + r"$\pm$.012"


@pytest.mark.parametrize(
    ("value", "printed"), [(0.0312, ("3.1", "3")), (-0.0312, ("−3.1", "−3")), (-0.0004, ("0.0", "0"))]
)
def test_a_difference_of_scores_is_printed_in_points(value, printed):
    assert (points(value), points(value, 0)) == printed


def test_an_end_of_a_published_range_has_no_zeros_behind_it():
    assert [whole_points(value) for value in (0.18, 0.278, 0.02)] == ["18", "27.8", "2"]


def test_one_fold_shows_no_spread():
    rendered = render_table1(long_table1(0.5, sd=0.0, n_folds=1), LABELS)
    assert markdown_rows(rendered["md"])[1][-1] == ".500"
    assert "one fold." in rendered["md"]
    assert "±" not in rendered["md"]


def test_table1_layout():
    table = table1(metrics_frame([*CELLS, *CONTROLS]), [0, 1, 2])
    rendered = render_table1(table, LABELS, with_sd=False)
    heads, *rows = markdown_rows(rendered["md"])
    names = [f"{dataset} {metric}" for dataset in ("ISIC-2019", "Cardium") for metric in ("bACC", "AUC", "MCC")]
    assert heads == ["Method", "Sp.", *names]
    families = [["Image Space", "–"], ["SD 1.4", "LS"], ["", "RS"], ["Flux.1", "LS"], ["", "RS"]]
    controls = [["Random (control)", "LS"], ["", "RS"], ["Unshuffle (control)", "LS"], ["", "RS"]]
    assert [row[:2] for row in rows] == families + controls
    first = value(table, dataset="isic2019", autoencoder="sd14", space="reconstruction", metric="auc")
    assert rows[2][3] == f"{first['mean']:.3f}".removeprefix("0")
    assert rows[6][2:] == ["–"] * 6

    top, second, *body = html_grid(rendered["html"])
    assert top == ["Method", "Sp.", *["ISIC-2019"] * 3, *["Cardium"] * 3]
    assert second == ["Method", "Sp.", *["bACC", "AUC", "MCC"] * 2]
    assert [row[1:] for row in body] == [row[1:] for row in rows]
    assert [row[0] for row in body[:4]] == ["Image Space", "SD 1.4", "SD 1.4", "Flux.1"]
    ruled = ElementTree.fromstring(rendered["html"]).findall("body/table/tbody[@class='ruled']/tr[1]/th")
    assert [head.text for head in ruled] == ["Image Space", "Random (control)"]

    top, second, *body = latex_rows(rendered["tex"])
    assert top == ["", "", *["ISIC-2019"] * 3, *["Cardium"] * 3]
    assert second == ["Method", "Sp.", *["bACC", "AUC", "MCC"] * 2]
    assert body == [[cell.replace("–", "--") for cell in row] for row in rows]
    assert r"\cmidrule(lr){3-5}\cmidrule(lr){6-8}" in rendered["tex"]
    assert re.findall(r"\\midrule\n([^&]*) &", rendered["tex"]) == ["Image Space", "Random (control)"]


def test_without_controls_there_is_no_second_section():
    rendered = render_table1(table1(metrics_frame(CELLS), [0, 1, 2]), LABELS)
    assert rendered["tex"].count(r"\midrule") == 1
    assert rendered["html"].count('<tbody class="ruled">') == 1


def test_table2_layout():
    frame = fidelity_frame(unshuffle=[(np.inf, 1.0)], sd14=[(37.26, 0.9712)], flux1=[(40.0, 0.5)])
    flux_only = frame.query("autoencoder == 'flux1'").assign(dataset="cardium")
    rendered = render_table2(table2(pd.concat([frame, flux_only])), LABELS)
    rows = [
        ["SD 1.4", ".971", "37.3", "–", "–"],
        ["Flux.1", ".500", "40.0", ".500", "40.0"],
        ["Unshuffle (control)", "1.000", "∞", "–", "–"],
    ]
    heads = ["Autoencoder", "ISIC-2019 SSIM", "ISIC-2019 PSNR", "Cardium SSIM", "Cardium PSNR"]
    assert markdown_rows(rendered["md"]) == [heads, *rows]
    assert html_grid(rendered["html"])[2:] == rows
    in_tex = {"∞": r"$\infty$", "–": "--"}
    assert latex_rows(rendered["tex"])[2:] == [[in_tex.get(cell, cell) for cell in row] for row in rows]


@pytest.mark.parametrize(("label", "shown"), [("Cardium", "Cardium (phantom)"), ("Heart Phantoms", "Heart Phantoms")])
def test_phantom_data_are_named_as_such(label, shown):
    labels = Labels({"isic2019": "ISIC-2019", "cardium": label}, {}, frozenset({"cardium"}))
    rendered = render_table1(long_table1(0.5), labels)
    assert html_grid(rendered["html"])[0][2:] == [shown] * 3
    for text in rendered.values():
        assert shown in text
        assert "Phantom data: synthetic images, not patients." in text
        assert "ISIC" not in text


def test_what_is_synthetic_is_known_from_the_cards():
    cards = [{"dataset": "cardium", "synthetic": True}, {"dataset": "isic2019", "synthetic": False}]
    labels = labels_of({"datasets": LABELS.datasets, "autoencoders": LABELS.autoencoders}, cards)
    assert labels == Labels(LABELS.datasets, LABELS.autoencoders, frozenset({"cardium"}))


def test_equal_images_that_were_kept_are_known_from_the_cards():
    kept, merged = ({"across_groups": 7, "groups_merged": number} for number in (0, 3))
    cards = [
        {"dataset": "cardium", "synthetic": False, "duplicates": kept},
        {"dataset": "isic2019", "synthetic": False, "duplicates": merged},
        {"dataset": "old", "synthetic": False},
    ]
    labels = labels_of({"datasets": LABELS.datasets, "autoencoders": LABELS.autoencoders}, cards)
    assert labels.leaking == {"cardium": 7}


KEPT = "Cardium: 7 images have an identical copy in another group and were kept, so test images may be among"


def test_equal_images_that_were_kept_are_a_footnote_of_what_shows_their_dataset():
    labels = replace(LABELS, leaking={"cardium": 7, "demo": 3})
    for text in render_table1(long_table1(0.5), labels, ["Another note."]).values():
        assert KEPT in text
        assert "Another note." in text
        assert "demo" not in text
    fidelity = table2(fidelity_frame(sd14=[(30.0, 0.9)]).assign(dataset="cardium"))
    assert all(KEPT in text for text in render_table2(fidelity, labels).values())
    fidelity = table2(fidelity_frame(sd14=[(30.0, 0.9)]))  # of another dataset
    assert not any("were kept" in text for text in render_table2(fidelity, labels).values())


def test_tables_of_patients_do_not_speak_of_phantoms():
    labels = Labels({**LABELS.datasets, "demo": "Demo"}, {}, frozenset({"demo"}))
    assert not any("hantom" in text for text in render_table1(long_table1(0.5), labels).values())


def test_control_is_not_said_twice():
    labels = Labels(LABELS.datasets, {"unshuffle": "Lossless control"})
    assert "(control)" not in render_table2(table2(fidelity_frame(unshuffle=[(np.inf, 1.0)])), labels)["md"]


def test_two_recipes_in_one_cell_are_refused():
    table = pd.concat([long_table1(0.5), long_table1(0.6, recipe="matched")])
    with pytest.raises(InputError, match="dataset cardium, autoencoder original, space image, metric mcc"):
        render_table1(table, LABELS)


@pytest.mark.parametrize("change", [{"dataset": "new"}, {"autoencoder": "new", "role": "family"}])
def test_what_has_no_label_is_refused(change):
    with pytest.raises(InputError, match=r"^new is in the table but has no label"):
        render_table1(long_table1(0.5, **change), LABELS)


def nasty_tables():
    """Both tables, with every special character in each label and in a footnote."""
    labels = Labels(
        {"isic2019": NASTY, "cardium": f"{NASTY}2"},
        {"sd14": NASTY, "flux1": "*Flux", "unshuffle": "[Un]shuffle", "random_init": "Zufällig"},
        frozenset({"cardium"}),
    )
    notes = [NASTY, "PSNR ∞ – lossless; |x| ≤ 1 ± 0, a × b ≥ −1."]
    frame = fidelity_frame(unshuffle=[(np.inf, 1.0)], sd14=[(37.26, 0.9712)], flux1=[(40.0, 0.5)])
    first = table1(metrics_frame([*CELLS, *CONTROLS]), [0, 1, 2])
    return [render_table1(first, labels, notes), render_table2(table2(frame), labels, notes)]


def test_html_is_escaped_and_complete():
    for rendered, columns in zip(nasty_tables(), (8, 3), strict=True):
        grid = html_grid(rendered["html"])
        assert {len(row) for row in grid} == {columns}
        assert NASTY in grid[0]
        document = ElementTree.fromstring(rendered["html"])
        assert document.find("body/table/tfoot/tr/td/p").text == NASTY
        assert document.find("head/meta").get("charset") == "utf-8"
        assert document.find("head/title").text.startswith("Table ")
        assert document.find("body/table/caption/b").tail.endswith(".")


def test_markdown_is_escaped_and_rectangular():
    for rendered, columns in zip(nasty_tables(), (8, 3), strict=True):
        rows = markdown_rows(rendered["md"])
        assert {len(row) for row in rows} == {columns}
        escaped = r"CT\_RATE & \<x> 50% #1 $5 {a} ~^\\ \|\*\[b\]"
        assert f"| {escaped} | " in rendered["md"]
        assert f"\n\n{escaped}\n\n" in rendered["md"]


def test_latex_is_escaped_and_rectangular():
    for rendered, columns in zip(nasty_tables(), (5, 3), strict=True):  # the second dataset in a block below
        rows = latex_rows(rendered["tex"])
        assert {len(row) for row in rows} == {columns}
        specification = re.search(r"\\begin{tabular}{@{}([lc]+)@{}}", rendered["tex"])[1]
        assert len(specification) == columns
        assert NASTY_TEX in rows[0]
        assert rf"\selectfont {NASTY_TEX}\par}}" in rendered["tex"]
        unescaped = re.sub(r"\\[\\{}]", "", rendered["tex"])
        assert unescaped.count("{") == unescaped.count("}")
        assert not set(rendered["tex"]) & set("±∞–−×≤≥<>|~^")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_latex_compiles_with_booktabs_alone(tmp_path):
    body = "\n".join(rendered["tex"] for rendered in nasty_tables())
    source = "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n" + body + "\\end{document}\n"
    (tmp_path / "tables.tex").write_text(source, encoding="utf-8")
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "-draftmode", "tables.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
