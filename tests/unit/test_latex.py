"""Tables in LaTeX compile, parse and fit the page; tests/demo checks those of a whole study."""

import re
from dataclasses import replace

import numpy as np
import pytest

from learnability.paper.claims import judge_claims
from learnability.paper.layouts import render_claims, render_published
from learnability.paper.published_numbers import compare_published
from learnability.significance.gap import latent_vs_reconstruction
from learnability.tables.gap import GAP_COLUMNS, render_gap
from learnability.tables.labels import Labels
from learnability.tables.latex import as_latex, latex_cell, opening, width_of
from learnability.tables.layout import Best, Layout
from learnability.tables.table1 import render_table1, table1
from learnability.tables.table4 import render_table4
from tests.findings import ROWS, made_up
from tests.latex import COLUMN, TABULAR, TEXT, assert_good_latex, box_widths, compiled
from tests.scored_runs import scored_runs

CELLS = [("original", "image", "image"), ("sd14", "latent", "latent"), ("sd14", "reconstruction", "image")]
LABELS = Labels(
    datasets={"ct_rate": "CT_RATE & 50% ± ∞ ⋆⋄†", "isic2019": "#1 ~ <x>"}, autoencoders={"sd14": "SD {1.4}"}
)


def tables() -> list[str]:
    table = table1(scored_runs(CELLS, datasets=["ct_rate", "isic2019"]), range(5))
    return [render_table1(table, LABELS, ["Mean ± sd; × ≤ ≥ − –"])["tex"]]


def test_a_table_parses_and_compiles(tmp_path):
    assert_good_latex(tables(), tmp_path)


@pytest.mark.parametrize(
    "slip", [("\\bottomrule", "\\botomrule"), ("\\end{tabular}", ""), ("\\%", "%"), ("\\caption{", "\\caption")]
)
def test_a_slip_is_seen(tmp_path, slip):
    (text,) = tables()
    assert slip[0] in text
    with pytest.raises(AssertionError):
        assert_good_latex([text.replace(*slip)], tmp_path)


NAMES = {
    "isic2019": "ISIC-2019",
    "ct_rate": "CT-RATE",
    "mimic_cxr_lt": "MIMIC-LT",
    "cardium": "Cardium",
    "clinic": "Our own clinic",
    "sixth": "HAM10000",
}
LONG = {"sd14": "SD 1.4-like (tiny)", "flux2": "MedVAE-like (tiny), fine-tuned", "unshuffle": "Pixel unshuffle 8"}


def wide_table1(**options) -> str:
    """Four datasets, with standard deviations and long names."""
    cells = [("original", "image", "image")]
    cells += [(name, space, "r") for name in LONG for space in ("latent", "reconstruction")]
    table = table1(scored_runs(cells, datasets=[*NAMES][:4]), range(5))
    return render_table1(table, Labels(NAMES, LONG), **options)["tex"]


def test_table_1_of_one_metric_stands_side_by_side_in_the_text_of_a_page(tmp_path):
    text = wide_table1(metrics=["balanced_accuracy"])
    assert text.count(r"\multicolumn{1}{c}") == 4
    assert text.count("Method &") == 1
    assert "AUC" not in text
    assert max(box_widths([text], tmp_path)) <= TEXT


def test_what_is_wider_than_the_page_goes_on_in_a_block_below(tmp_path):
    text = wide_table1()
    assert text.count("Method &") > 1  # the heads of a block each
    assert all(text.count(name) == 1 for name in [*NAMES.values()][:4])
    assert_good_latex([text], tmp_path)


def test_long_names_are_broken_where_more_datasets_then_stand_side_by_side(tmp_path):
    text = wide_table1()
    assert text.count("Method &") == 2
    assert re.search(r"^MedVAE-like \(tiny\), & LS .*\nfine-tuned & RS ", text, re.MULTILINE)
    assert_good_latex([text], tmp_path)
    narrow = wide_table1(metrics=["balanced_accuracy"])
    assert "MedVAE-like (tiny), fine-tuned & LS" in narrow  # all fit without


def test_the_published_table_1_with_its_marks_takes_two_blocks(tmp_path):
    """Five families, four datasets, three scores with sd, the longest cells."""
    names = {"sd14": "SD 1.4", "flux1": "Flux.1", "flux2": "Flux.2", "medvae": "MedVAE", "medvae_ft": "MedVAE-FT"}
    cells = [("original", "image", "image")]
    cells += [(name, space, "r") for name in names for space in ("latent", "reconstruction")]
    runs = scored_runs(cells, datasets=[*NAMES][:4])
    tests = latent_vs_reconstruction(runs).assign(p_corrected=0.001)
    text = render_table1(table1(runs, range(5)), Labels(NAMES, names), tests=tests)["tex"]
    assert re.search(r"\\textbf\{\.\d{3}\$\\pm\$\.\d{3}\$\\ddagger\$\}", text)
    assert text.count("Method &") == 2
    assert_good_latex([text], tmp_path)


@pytest.mark.parametrize(
    "cell", ["-.012 ± .345", Best(".750 ± .048‡"), Best("-.5 ± .1†"), "MedVAE-like (tiny),", "1 : 1.16"]
)
def test_no_cell_is_wider_than_was_reckoned(tmp_path, cell):
    tabular = rf"\begin{{tabular}}{{@{{}}l@{{}}}}{latex_cell(cell)}\end{{tabular}}}}"
    (width,) = box_widths([f"{opening()}\n{tabular}"], tmp_path)
    assert 0.85 * width_of(cell) <= width <= width_of(cell)


def test_a_row_of_sentences_has_no_empty_line_below(tmp_path):
    """Two claims of one line each are as tall as two lines and what separates them."""
    rows = [("One.", [["Two."]]), ("Three.", [["Four."]])]
    text = as_latex(Layout("Claims", "Said.", ["Claim", "Why"], [], [rows], [], (0.5, 0.5)))
    (tabular,) = TABULAR.findall(text)
    measured = rf"\setbox\measured\hbox{{{tabular}}}\typeout{{TALL \the\dimexpr\ht\measured+\dp\measured}}x"
    (tall,) = re.findall(r"^TALL ([\d.]+)pt", compiled([measured], tmp_path), re.MULTILINE)
    assert 3 * 8.4 < float(tall) < 5 * 8.4


def test_all_tables_of_a_study_fit_the_page(tmp_path):
    found = made_up(synthetic=("cardium",))
    labels = replace(found.labels, rows=dict(zip(ROWS, ROWS, strict=True)))
    table4 = render_table4(found.frames["table4"], labels, found.frames["ablation"], {})
    texts = [render_claims(judge_claims(found)), render_published(compare_published(found), found), table4]
    assert_good_latex([text["tex"] for text in texts], tmp_path)


def test_numbers_that_are_longer_than_a_page_continue_in_further_floats(tmp_path):
    """Three spanners of which one fits beside the names, 20 autoencoders of 4 rows: floats of whole autoencoders."""
    names = [f"autoencoder with a long name, number {i:02}" for i in range(20)]
    rows = [[f"r{i}", *(f"{spanner}{i}.0" for spanner in range(3))] for i in range(4)]
    sections = [[(name, rows) for name in part] for part in (names[:15], names[15:])]
    spanners = [(name, ["a" * 38]) for name in "ABC"]
    layout = Layout("Long", "All of it. And more.", ["Autoencoder", "Kind"], spanners, sections, ["A note."])
    text = as_latex(layout)
    floats = text.split(r"\begin{table}")[1:]
    assert [[name in part for part in floats] for name in ("{c}{A}", "{c}{B}", "{c}{C}")] == [
        [block == i // 2 for i in range(6)] for block in range(3)
    ]
    for column in range(3):
        own = floats[2 * column] + floats[2 * column + 1]
        assert [own.count(f" {column}{i}.0 ") for i in range(4)] == [20] * 4
    assert all(part.count("& r0 &") == part.count("& r3 &") for part in floats)  # none is cut within a name
    assert all(part.count("A note.") == 1 for part in floats)
    assert [part.count("continued") for part in floats] == [0, 1, 1, 1, 1, 1]
    assert len(set(re.findall(r"label\{(.*)\}", text))) == 6
    assert_good_latex([text], tmp_path)
    short = replace(layout, sections=[[(names[0], rows * 2)]])
    assert as_latex(short).count(r"\begin{table}") == 1  # three blocks of 8 rows fit


def gaps_of(datasets: list[str], low: float) -> str:
    """The LaTeX of the gap of three autoencoders, one of them a control, on these datasets."""
    cells = [(name, space, "r") for name in LONG for space in ("latent", "reconstruction")]
    scores = table1(scored_runs(cells, datasets=datasets), range(5))
    pairs = scores[["dataset", "autoencoder", "role"]].drop_duplicates()
    gap = np.linspace(low, 0.3, len(pairs))
    numbers = {"gap": gap, "ci_low": gap - 0.1234, "ci_high": gap + 0.1, "p": 0.01, "p_corrected": 0.02}
    table = pairs.assign(**numbers, chance_latent=False, chance_reconstruction=False, method="n/a")[GAP_COLUMNS]
    return render_gap(table, scores, Labels(NAMES, LONG), 5)["tex"]


@pytest.mark.parametrize("low", [-0.3, 0.2])
@pytest.mark.parametrize(("number", "side_by_side"), [(1, 1), (4, 4), (5, 3), (6, 3)])
def test_the_gap_is_a_tabular_alone_of_one_column(tmp_path, number, side_by_side, low):
    text = gaps_of([*NAMES][:number], low)
    assert rf"\begin{{tabular}}{{@{{}}l{'c' * side_by_side}@{{}}}}" in text
    assert not re.search(r"\\(begin\{table|resizebox|scalebox|tiny|scriptsize|caption)", text)
    (width,) = box_widths([text], tmp_path)
    assert width <= COLUMN
    assert text.count(" & ") % side_by_side == 0
    assert_good_latex([text], tmp_path)


def test_a_box_that_is_too_wide_is_seen(tmp_path):
    text = gaps_of([*NAMES][:4], 0.2)
    with pytest.raises(AssertionError):
        assert_good_latex([text.replace(r"{\tabcolsep}{2pt}", r"{\tabcolsep}{20pt}")], tmp_path)
