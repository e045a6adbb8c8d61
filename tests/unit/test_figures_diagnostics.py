"""The figures of spectra and of diagnostics against the gap show the data of the files, and can be read."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from learnability.figures.diagnostics_vs_gap import draw_diagnostics_vs_gap, spread
from learnability.figures.spectra import draw_spectra, power_of_ten
from learnability.significance.diagnostics_vs_gap import diagnostics_vs_gap
from learnability.tables.diagnostic_labels import IN_TABLE5
from learnability.tables.labels import Labels
from learnability.tables.table5 import table5
from tests.described import CONTROLS, DATASETS, FAMILIES, LABELS, described, gaps, spectra
from tests.drawn import assert_legible, files_of, handle_of, lines, panel, points, words

RISING = {name: float(i) for i, name in enumerate(FAMILIES)}


def drawn(diagnostics, measured=None, labels=LABELS):
    measured = gaps() if measured is None else measured
    tests = diagnostics_vs_gap(diagnostics, {"gap": measured}).astype(str)
    return draw_diagnostics_vs_gap(table5(diagnostics).astype(str), measured, tests, labels)


def panel_of(figure, label):
    (found,) = [axes for axes in figure.axes if axes.get_title(loc="left").startswith(f"{label}\n")]
    return found


def test_points_are_means_over_datasets_and_controls_are_open(tmp_path):
    figure = drawn(described(**RISING, cipher=2.0))
    axes = panel_of(figure, "high-frequency energy")
    assert points(axes, "family") == pytest.approx(np.array([(i, 10 + 2 * i) for i in range(5)]))
    assert points(axes, "control") == pytest.approx(np.array([(2, 20)]))
    (control,) = [line for line in axes.lines if line.get_gid() == "control"]
    assert control.get_markerfacecolor() == "white"
    shown = words(figure)
    assert all(words.label in shown for words in IN_TABLE5.values())
    assert "ρ = 1.00, p = .025" in axes.get_title(loc="left")
    assert "p of the paper's three suspects alone" in shown
    assert "Means over CT-RATE, ISIC-2019 and Cardium (phantom)." in shown
    assert "not patients" in shown
    again = drawn(described(**RISING, cipher=2.0))
    assert files_of(figure, tmp_path, "a") == files_of(again, tmp_path, "b")
    assert_legible(figure)


def test_images_and_controls_without_a_gap_stand_on_the_axis_and_far_ones_are_arrowheads():
    figure = drawn(described(**RISING, unshuffle=4.5, original=99.0))
    axes = panel_of(figure, "high-frequency energy")
    assert points(axes, "without gap") == pytest.approx(np.array([(4.5, 0)]))
    (arrow,) = [line for line in axes.lines if line.get_gid() == "beyond"]
    assert (arrow.get_marker(), arrow.get_xdata()[0]) == (">", axes.get_xlim()[1])
    assert handle_of(figure, "Pixel unshuffle 8 (control): no gap in Table 1").get_markerfacecolor() == "white"
    assert "the images themselves" in words(figure)
    assert_legible(figure)


@pytest.mark.parametrize("same", [False, True])
def test_every_autoencoder_is_named_beside_its_row_and_no_name_covers_another(same):
    measured = gaps()
    figure = drawn(described(), measured.assign(gap=0.1) if same else measured)
    figure.draw_without_rendering()
    named = [axes.texts for axes in figure.axes if axes.texts]
    assert len(named) == len(IN_TABLE5) / 2
    for texts in named:
        assert {" ".join(text.get_text().split()) for text in texts} == {
            *FAMILIES.values(), "Enciphered pixels (control)"}  # fmt: skip
        boxes = [Text.get_window_extent(text) for text in texts]  # without the line that leads to it
        assert not [box for i, box in enumerate(boxes) if any(map(box.padded(-0.5).overlaps, boxes[:i]))]
    assert_legible(figure)


def test_long_names_and_one_autoencoder_can_be_read():
    long = {name: f"{label} of a very long name, fine-tuned" for name, label in LABELS.autoencoders.items()}
    assert_legible(drawn(described(), labels=Labels(DATASETS, long)))
    figure = drawn(described(names=["sd14"]), gaps(names=["sd14"]))
    assert "No p: that needs 5 families" in words(figure)
    assert "ρ n/a" in words(figure)
    assert "No ρ: that needs 3 families" in words(figure)
    assert_legible(figure)


def test_the_note_counts_the_families_of_a_correlation_or_says_why_there_is_none():
    assert "ρ is over 3 to 5 families." in words(drawn(described()))  # MedVAE has one channel
    assert "ρ is over 3 families." in words(drawn(described(), gaps(names=["sd14", "flux1", "flux2"])))
    same = words(drawn(described(), gaps().assign(gap=0.1)))
    assert "No ρ: the number or the gap is the same in all families." in same
    assert "the number or the gap is the same in all families" in same.partition("No p: ")[2]
    none = words(drawn(described(), gaps(names=["cipher"])))
    assert "No ρ: no family has a gap." in none
    assert "No p" not in none


def test_without_a_number_on_every_dataset_nothing_is_drawn_and_it_is_said(tmp_path):
    figure = drawn(described(names=["unshuffle"]))
    assert "No autoencoder has both" in words(figure)
    files_of(figure, tmp_path, "empty")
    figure = drawn(described(), gaps().head(0))
    assert "No autoencoder has both" in words(figure)
    files_of(figure, tmp_path, "none")


def test_an_autoencoder_on_some_datasets_is_said_in_the_note():
    diagnostics = described()
    part = diagnostics[(diagnostics["autoencoder"] != "unshuffle") | (diagnostics["dataset"] == "isic2019")]
    assert "Pixel unshuffle 8 (on ISIC-2019)" in words(drawn(part))


def test_places_are_kept_where_there_is_room_and_stay_inside():
    tall = dict.fromkeys("abc", 0.2)
    assert spread({"a": 0.9, "b": 0.5, "c": 0.1}, tall) == pytest.approx({"c": 0.1, "b": 0.5, "a": 0.9})
    crowded = spread({"a": 0.97, "b": 0.96, "c": 0.95}, tall)
    assert crowded == pytest.approx({"c": 0.5, "b": 0.7, "a": 0.9})


def test_spectra_are_the_files_on_logarithmic_axes_and_images_have_a_line_for_each_grid(tmp_path):
    rows = spectra()
    figure = draw_spectra(rows, LABELS)
    for dataset, title in {**DATASETS, "cardium": "Cardium (phantom)"}.items():
        axes = panel(figure, title)
        assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
        for name, label in {**FAMILIES, "unshuffle": f"{CONTROLS['unshuffle']} (control)"}.items():
            own = rows[(rows["dataset"] == dataset) & (rows["autoencoder"] == name)]
            (line,) = lines(axes, label)
            assert line == pytest.approx(own[["frequency", "power"]].to_numpy())
        assert [len(lines(axes, f"images, 1/{factor}")[0]) for factor in (4, 8)] == [32, 16]
    assert handle_of(figure, "Pixel unshuffle 8 (control)").get_linestyle() == "--"
    assert "not patients" in words(figure)
    again = draw_spectra(rows, LABELS)
    assert files_of(figure, tmp_path, "a") == files_of(again, tmp_path, "b")
    assert_legible(figure)


def test_a_frequency_of_zero_and_power_of_zero_have_no_place():
    rows = spectra(["isic2019"], ["sd14", "original"])
    none = rows.head(1).assign(frequency=0.0, power=0.9)
    figure = draw_spectra(pd.concat([none, rows, rows.head(1).assign(power=0.0)]), LABELS)
    (line,) = lines(figure.axes[0], "SD 1.4")
    assert len(line) == 16
    assert_legible(figure)


@pytest.mark.parametrize(("value", "shown"), [(1, "1"), (0.01, ".01"), (1e-5, "10⁻⁵")])
def test_powers_of_ten_are_short(value, shown):
    assert power_of_ten(value) == shown
