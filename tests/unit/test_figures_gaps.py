"""The figure of the gaps: its points and lines are the numbers of the tables and tests, and it can be read."""

import html

import numpy as np
import pandas as pd
import pytest

from learnability.figures.gaps import KINDS, draw_gaps, limits, measured
from learnability.figures.style import save
from learnability.summary.page import note_of
from learnability.tables.labels import Labels
from tests.drawn import assert_legible, files_of, lines, panel, points, words

LABELS = Labels(
    {"isic2019": "ISIC-2019", "cardium": "Cardium"},
    {"sd14": "SD 1.4", "flux2": "MedVAE-like (tiny), fine-tuned", "unshuffle": "Pixel unshuffle 8", "cipher": "Cipher"},
    frozenset({"cardium"}),
)
GAPS = pd.DataFrame(
    [
        ("isic2019", "sd14", "family", "0.10", "0.05", "0.15", "0.01", "0.02"),
        ("isic2019", "flux2", "family", "0.20", "0.12", "0.28", "0.2", "0.4"),
        ("cardium", "sd14", "family", "-0.02", "-0.06", "0.02", "0.4", "0.8"),
    ],
    columns=["dataset", "autoencoder", "role", "gap", "ci_low", "ci_high", "p", "p_corrected"],
)


def decomposition(**changes):
    row = {"dataset": "isic2019", "autoencoder": "flux2", "metric": "balanced_accuracy", "role": "family"}
    row |= {"method": "sampling and training", "recipe": "matched"}
    for kind, gap in {"gap_paper": 0.2, "gap_matched": 0.11, "gap_control": 0.04, "gap_encoding": 0.07}.items():
        row |= {kind: gap, f"{kind}_ci_low": gap - 0.02, f"{kind}_ci_high": gap + 0.03, f"{kind}_p": 0.1}
    return pd.DataFrame([row | changes, row | {"metric": "auc", "gap_matched": 0.5}])


def controls():
    rows = [
        ("unshuffle", "matched", 0.01, "n/a"),
        ("cipher", "matched", 0.33, "0.30"),
        ("image_again", "matched", -0.01, "n/a"),
        ("unshuffle", "table1", 0.08, "n/a"),
    ]
    frame = pd.DataFrame(rows, columns=["control", "recipe", "effect", "expected_effect"])
    ends = {"ci_low": frame["effect"] - 0.02, "ci_high": frame["effect"] + 0.02}
    return frame.assign(dataset="isic2019", p=0.5, method="sampling and training", **ends)


def test_every_kind_of_gap_is_drawn_in_points_with_its_interval():
    mean = decomposition(autoencoder="n/a").head(1)  # over the families: no line
    found = measured(GAPS, pd.concat([mean, decomposition()]), controls())
    figure = draw_gaps(found, LABELS)
    axes = panel(figure, "ISIC-2019")
    drawn = {kind: [x for x, _ in points(axes, kind)] for kind in KINDS}
    assert drawn["gap_paper"] == pytest.approx([8, 10, 20])
    assert drawn["gap_matched"] == pytest.approx([-1, 1, 11, 33])
    assert (drawn["gap_control"], drawn["gap_encoding"]) == (pytest.approx([4]), pytest.approx([7]))
    ends = [tuple(line[:, 0]) for line in lines(axes, "interval")]
    assert all(any(end == pytest.approx(pair) for end in ends) for pair in [(5, 15), (9, 14), (6, 10)])
    assert points(axes, "known")[:, 0] == pytest.approx([30])
    assert [x for x, _ in points(panel(figure, "Cardium (phantom)"), "gap_paper")] == pytest.approx([-2])
    shown = words(figure)
    assert all(label in shown for label, _ in KINDS.values())
    assert "image again (another seed)" in shown
    assert "(control)" in shown
    assert "only that of sampling" not in shown
    assert "not patients" in shown
    assert_legible(figure)


def test_of_several_matched_recipes_the_first_is_drawn_and_named():
    tuned = decomposition(recipe="matched_tuned", gap_matched=0.3, gap_control=0.1).head(1)
    others = controls().query("recipe == 'matched'").assign(recipe="matched_tuned", effect=0.2)
    judged = pd.concat([controls(), others])
    found = measured(GAPS, pd.concat([tuned, decomposition()]), judged)
    drawn = {kind: sorted(found.query("kind == @kind")["gap"]) for kind in KINDS}
    assert drawn["gap_matched"] == pytest.approx([20, 20, 20, 30])
    assert drawn["gap_control"] == pytest.approx([10])
    assert "Matched: by the recipe matched tuned." in words(draw_gaps(found, LABELS))
    once = measured(GAPS, decomposition(), judged)
    pd.testing.assert_frame_equal(once, measured(GAPS, decomposition(), controls()))
    assert "Matched: by" not in words(draw_gaps(once, LABELS))
    alone = measured(GAPS, decomposition(recipe="another").head(1), judged)  # whose controls another recipe judges
    assert sorted(alone.query("kind == 'gap_matched'")["gap"]) == pytest.approx([-1, 1, 11, 33])


def test_it_is_narrow_and_nothing_of_the_caption_is_in_it(tmp_path):
    figure = draw_gaps(measured(GAPS, decomposition(), controls()), LABELS)
    assert figure.get_figwidth() <= 4.2  # inches: 400 px of a screen
    svg, _ = files_of(figure, tmp_path, "gaps")
    again, _ = files_of(draw_gaps(measured(GAPS, decomposition(), controls()), LABELS), tmp_path, "again")
    assert svg == again
    note = html.escape(note_of(tmp_path / "gaps.svg"), quote=False).encode()
    assert b"not patients" in note
    assert b"not patients" not in svg.replace(note, b"")


def test_gaps_that_differ_after_correction_have_a_star():
    figure = draw_gaps(measured(GAPS), LABELS)
    stars = {axes.get_title(loc="left"): [text.get_text() for text in axes.texts] for axes in figure.axes}
    assert stars == {"ISIC-2019": ["∗"], "Cardium (phantom)": []}
    assert "after Holm's correction" in words(figure)
    assert KINDS["gap_matched"][0] not in words(figure)  # a single kind needs no legend
    assert_legible(figure)


def test_names_of_several_lines_do_not_cover_each_other():
    long = {name: f"{label} of a long name" for name, label in LABELS.autoencoders.items()}
    assert_legible(draw_gaps(measured(GAPS), Labels(LABELS.datasets, long)))


def test_intervals_of_sampling_alone_are_called_so_and_without_any_it_is_said(tmp_path):
    alone = measured(GAPS, decomposition(method="sampling only"))
    assert "only that of sampling" in words(draw_gaps(alone, LABELS))
    assert "only that of sampling" in words(draw_gaps(measured(GAPS.assign(method="sampling only")), LABELS))
    both = GAPS.assign(method=["sampling and training"] * 2 + ["degenerate"], ci_low=["0.05", "0.12", "n/a"])
    assert "only that of sampling" not in words(draw_gaps(measured(both), LABELS))
    none = measured(GAPS.assign(ci_low="n/a", ci_high="n/a"))
    figure = draw_gaps(none, LABELS)
    assert "No interval" in words(figure)
    assert not lines(figure.axes[0], "interval")
    figure = draw_gaps(measured(GAPS.head(0)), LABELS)
    assert "No autoencoder has both" in words(figure)
    save(figure, tmp_path / "a.svg", tmp_path / "a.png")


def test_half_of_the_ends_of_intervals_on_each_side_are_shown_even_where_they_are_far_from_the_gaps():
    """Of a small study they say more than the gaps; a single one that is far wider is cut."""
    ends = pd.DataFrame({"gap": [5.4, 3.9, -0.7, 4.7], "ci_low": [-5.7, -15.7, -21.1, -34.5]})
    low, high = limits(ends.assign(ci_high=[16.5, 23.6, 19.6, 43.8]))
    assert -21.1 < low < -18.4  # their medians are -18.4 and 21.6
    assert 21.6 < high < 23.6
    assert limits(ends.assign(ci_high=ends["gap"] + 1))[1] == pytest.approx(6.4 + 0.08 * 6.1)
    assert np.ptp(limits(ends.assign(ci_low=-500.0, ci_high=500.0))) < 10 * 6.1
    assert limits(ends.assign(ci_low=np.nan, ci_high=np.nan)) == pytest.approx((-0.7 - 0.08 * 6.1, 5.4 + 0.08 * 6.1))


def test_an_interval_beyond_the_panel_has_an_arrowhead():
    wide = GAPS.assign(ci_low="-5.0")
    axes = panel(draw_gaps(measured(wide), LABELS), "ISIC-2019")
    assert [line.get_marker() for line in axes.lines if line.get_marker() == "<"] == ["<"] * 2
    assert np.ptp(axes.get_xlim()) < 100
