"""Table 5: its numbers are those of the files, and each format shows them, what is missing, and the gap."""

import pandas as pd
import pytest

from learnability.errors import InputError
from learnability.significance.diagnostics import FRAME
from learnability.significance.diagnostics_vs_gap import SUSPECTS, diagnostics_vs_gap
from learnability.tables.diagnostic_labels import ELSEWHERE, IN_TABLE5, amount_of, label_of
from learnability.tables.table5 import TABLE5_COLUMNS, macro_gaps, render_table5, table5
from learnability.tables.tests import render_tests
from tests.described import CONTROLS, FAMILIES, LABELS, described, gaps
from tests.latex import TEXT, assert_good_latex, box_widths
from tests.rendered import html_grid, latex_rows, markdown_rows
from tests.scored_runs import only

RISING = {name: float(i) for i, name in enumerate(FAMILIES)}
SEC = {"diagnostic": "sec", "variant": "normalised;tau=0.5"}


def as_read(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype(str)


def rendered(diagnostics=None, gap=None, tests=None, labels=LABELS):
    return render_table5(table5(described() if diagnostics is None else diagnostics), labels, gap, tests)


def with_gap(**planted):
    diagnostics = described(**planted)
    tests = diagnostics_vs_gap(diagnostics, {"gap": gaps()})
    return render_table5(table5(diagnostics), LABELS, gaps(), as_read(tests))


def test_the_file_has_every_number_as_it_was_read_and_the_means_over_datasets():
    diagnostics = described()
    table = table5(diagnostics)
    assert list(table) == TABLE5_COLUMNS
    pd.testing.assert_frame_equal(table[: len(diagnostics)][FRAME], diagnostics, check_dtype=False)
    macro = table[table["dataset"] == "macro"]
    assert len(macro) == len(diagnostics) / 3
    own = diagnostics[diagnostics["autoencoder"] == "flux2"]
    own = own[(own["diagnostic"] == "sec")]["value"].astype(float)
    assert only(macro, autoencoder="flux2", **SEC)["value"] == pytest.approx(own.mean())
    assert only(macro, autoencoder="medvae", diagnostic="channel_correlation")["value"] == "n/a (one channel)"
    with pytest.raises(InputError, match="Table 5: no diagnostics"):
        table5(diagnostics.head(0))


def test_a_reader_sees_suspects_first_then_others_and_the_gap_last():
    text = with_gap(**RISING)
    heads, *rows = markdown_rows(text["md"])
    assert [head.rpartition(" ")[2] for head in heads[1:4]] == [IN_TABLE5[key].head for key in SUSPECTS]
    assert heads[-1].endswith("Gap")
    names = [row[0] for row in rows]
    assert names[:5] == [*FAMILIES.values()]
    assert names[5:7] == [f"{label} (control)" for label in CONTROLS.values()]
    assert names[7:] == ["Images, 1/4", "Images, 1/8", "Without structure", "ρ with the gap"]
    first = dict(zip(names, rows, strict=True))
    assert [row[1] for row in rows[:5]] == [".00", "1.00", "2.00", "3.00", "4.00"]
    assert first["MedVAE"][2] == "–"  # of one channel
    assert (first["SD 1.4"][-1], first["Flux.1"][-1]) == ("10.0", "12.0")
    assert (first["Pixel unshuffle 8 (control)"][-1], first["Images, 1/8"][-1]) == ("–", "–")
    assert first["Without structure"][1] == ".50"
    assert first["ρ with the gap"][1].startswith("1.00")
    assert html_grid(text["html"])[2][0] == "SD 1.4"
    assert any(row[0] == "SD 1.4" for row in latex_rows(text["tex"]))
    assert all("not patients" in shown for shown in text.values())


def test_only_a_significant_suspect_has_a_star():
    six = described(names=[*FAMILIES, "sixth"], **RISING, sixth=9.0)
    measured = gaps(names=(*FAMILIES, "sixth"))
    labels = type(LABELS)(LABELS.datasets, FAMILIES | {"sixth": "Sixth"})
    tests = diagnostics_vs_gap(six, {"gap": measured})
    rho = markdown_rows(render_table5(table5(six), labels, measured, as_read(tests))["md"])[-1]
    assert rho[1] == r"1.00\*"
    p = only(tests, test="spearman_autoencoders", dataset="n/a", **SEC)["p_corrected"]
    assert p == pytest.approx(3 / 720)  # of three, though one has no p: MedVAE has one channel
    assert not any("*" in cell for cell in rho[4:])


def test_a_study_without_a_gap_or_of_few_autoencoders_says_what_lacks():
    heads, *rows = markdown_rows(rendered()["md"])
    assert not any("Gap" in head for head in heads)
    assert rows[-1][0] == "Without structure"
    few = described(names=["sd14", "original"], datasets=["isic2019"]).query("factor == 8")
    tests = diagnostics_vs_gap(few, {"gap": gaps(["isic2019"], ["sd14"])})
    text = rendered(few, gaps(["isic2019"], ["sd14"]), as_read(tests))["md"]
    assert "No p: that needs 5 families" in text
    assert "on ISIC-2019, latents" in text
    assert "hantom" not in text
    assert markdown_rows(text)[2][0] == "Images"  # one grid needs no number


def same_gap():
    return gaps().assign(gap=0.1)


def test_the_note_says_why_there_is_no_p_and_is_silent_where_no_gap_stands_above():
    tests = as_read(diagnostics_vs_gap(described(), {"gap": same_gap()}))
    text = rendered(gap=same_gap(), tests=tests)["md"]
    reasons = "No p: that needs 5 families; the number or the gap is the same in all families."
    assert reasons in text  # two suspects of five families, and one of three that have more than one channel
    none = as_read(diagnostics_vs_gap(described(), {"gap": gaps().head(0)}))
    assert "No p" not in rendered(gap=gaps().head(0), tests=none)["md"]
    assert "No p" not in with_gap(**RISING)["md"]


def test_the_note_names_the_nulls_of_the_columns_that_are_shown():
    text = rendered()["md"]
    assert "labels dealt anew to groups" in text
    assert "white noise, or" not in text


def test_an_autoencoder_on_some_datasets_is_named():
    diagnostics = described()
    part = diagnostics[(diagnostics["autoencoder"] != "cipher") | (diagnostics["dataset"] == "isic2019")]
    text = rendered(part)["md"]
    assert "Not a mean over all data sets: Enciphered pixels (on ISIC-2019)." in text
    assert "Not a mean" not in rendered()["md"]


def test_a_gap_is_a_mean_over_all_datasets_or_none():
    grid = gaps()
    lost = (grid["autoencoder"] == "sd14") & (grid["dataset"] == "cardium")
    found = macro_gaps(grid[~lost], LABELS.datasets)
    assert "sd14" not in found
    assert found["flux1"] == pytest.approx(0.12)


@pytest.mark.parametrize("long", [False, True])
def test_it_fits_the_text_of_a_page(tmp_path, long):
    names = FAMILIES | {"medvae_ft": "MedVAE-like (tiny), fine-tuned by us"} if long else FAMILIES
    diagnostics = described(names=[*names, "original"])
    tests = diagnostics_vs_gap(diagnostics, {"gap": gaps()})
    labels = type(LABELS)(LABELS.datasets, names, LABELS.synthetic)
    text = render_table5(table5(diagnostics), labels, gaps(names=names), as_read(tests))["tex"]
    assert text.count("Autoencoder &") == (2 if long else 1)  # what is too wide goes on below
    assert max(box_widths([text], tmp_path)) <= TEXT
    assert_good_latex([text], tmp_path)


def test_every_number_has_words_and_the_shown_ones_a_meaning():
    assert label_of(*SUSPECTS[0]) == "high-frequency energy"
    assert label_of("viv", "raw") == "viv (raw)"
    for words in (IN_TABLE5 | ELSEWHERE).values():
        assert all(words)
        assert not words.meaning.endswith(".")
    assert list(IN_TABLE5)[:3] == SUSPECTS


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.453, ".45"), (-0.0001, ".00"), (-1.196, "−1.20"), (0.996, "1.00"), (24.61, "24.6"), (5488.2, "5,488"),
     (-0.3, "−.30")],
)  # fmt: skip
def test_amounts_of_any_size_are_short(value, shown):
    assert amount_of(value) == shown


def test_the_page_of_the_tests_has_labels_and_the_correlations_over_autoencoders():
    tests = as_read(diagnostics_vs_gap(described(**RISING), {"gap": gaps(), "gap_matched": gaps()}))
    _, heads, *rows = html_grid(render_tests("diagnostics_vs_gap", tests, LABELS))
    assert heads[1] == "comparison"
    assert rows[0][1] == "high-frequency energy and gap"
    assert {"spearman autoencoders"} == {row[0] for row in rows}
    assert {row[1].rpartition(" and ")[2] for row in rows} == {"gap", "gap matched"}
    assert len(rows) == 2 * 12  # the thirteenth is nowhere a number
