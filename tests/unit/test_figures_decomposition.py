"""The figure of the parts of the gap: its points and lines are those of gap_decomposition.csv, in words, narrow."""

import numpy as np
import pandas as pd
import pytest

from learnability.figures.gap_decomposition import WORDS, draw_gap_decomposition, parts_of_gap
from learnability.tables.labels import Labels
from tests.drawn import assert_legible, files_of, lines, panel, points, words

LABELS = Labels(
    {"isic2019": "ISIC-2019", "cardium": "Cardium"}, {"sd14": "SD 1.4", "flux2": "Flux.2"}, frozenset({"cardium"})
)
VALUES = {"gap_paper": 0.2, "gap_matched": 0.11, "gap_control": 0.04, "gap_encoding": 0.07}


def decomposition(**changes):
    """A row as it is read from the file, and one of another metric."""
    row = {"dataset": "isic2019", "autoencoder": "flux2", "metric": "balanced_accuracy", "role": "family"}
    row |= {"recipe": "matched", "method": "sampling and training"}
    for kind, gap in VALUES.items():
        row |= {kind: gap, f"{kind}_ci_low": gap - 0.02, f"{kind}_ci_high": gap + 0.03, f"{kind}_p": 0.1}
    return pd.DataFrame([row | changes, row | changes | {"metric": "auc", "gap_matched": 0.5}]).astype(object)


def test_the_mean_over_the_families_is_no_line():
    both = pd.concat([decomposition(autoencoder="n/a"), decomposition()])
    pd.testing.assert_frame_equal(parts_of_gap(both), parts_of_gap(decomposition()))


def test_every_gap_is_drawn_in_points_with_its_interval_its_number_and_its_name():
    figure = draw_gap_decomposition(parts_of_gap(decomposition()), LABELS)
    axes = panel(figure, "ISIC-2019")
    for kind, gap in VALUES.items():
        ((x, height),) = points(axes, kind)
        assert x == pytest.approx(100 * gap)
        (ends,) = [line[:, 0] for line in lines(axes, "interval") if line[0, 1] == height]
        assert ends == pytest.approx([100 * gap - 2, 100 * gap + 3])
        ticks = dict(zip(axes.get_yticks(), [text.get_text() for text in axes.get_yticklabels()], strict=True))
        assert ticks[height] == WORDS[kind].format(recipe="matched")
        (number,) = [text.get_text() for text in axes.texts if text.get_position()[1] == height]
        assert number == f"{100 * gap:.1f}"
    assert list(axes.get_yticks()) == sorted(axes.get_yticks())
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the paper's first
    low, high = axes.get_xlim()
    assert low < 0 < high
    assert any(np.allclose(line.get_xdata(), 0) for line in axes.lines)  # the zero line
    assert_legible(figure)


def test_it_is_narrow_the_same_bytes_twice_and_its_caption_is_outside(tmp_path):
    both = pd.concat([decomposition(), decomposition(dataset="cardium"), decomposition(autoencoder="sd14")])
    figure = draw_gap_decomposition(parts_of_gap(both), LABELS)
    assert figure.get_figwidth() <= 4.2  # inches: 400 px of a screen
    assert "not patients" in figure.get_label()
    assert panel(figure, "Cardium (phantom)")
    first = files_of(figure, tmp_path, "a")
    assert first == files_of(draw_gap_decomposition(parts_of_gap(both), LABELS), tmp_path, "b")
    assert_legible(figure)


def names_of_lines(found: pd.DataFrame) -> list[str]:
    """What stands left of the lines of the figure."""
    return [text.get_text() for text in panel(draw_gap_decomposition(found, LABELS), "ISIC-2019").get_yticklabels()]


def test_of_several_recipes_the_first_is_drawn_and_named():
    both = pd.concat([decomposition(recipe="matched_tuned"), decomposition(recipe="matched", gap_matched=0.4)])
    found = parts_of_gap(both)
    assert found.set_index("kind")["gap"].to_dict() == pytest.approx({kind: 100 * gap for kind, gap in VALUES.items()})
    assert "with one recipe (matched tuned)" in names_of_lines(found)
    assert "with one recipe (matched)" in names_of_lines(parts_of_gap(decomposition(recipe="matched")))


def test_what_is_not_there_is_said_and_not_drawn():
    without = {f"{kind}{end}": "n/a" for kind in ("gap_control", "gap_encoding") for end in ("", "_ci_low", "_ci_high")}
    figure = draw_gap_decomposition(parts_of_gap(decomposition(**without)), LABELS)
    assert not lines(panel(figure, "ISIC-2019"), "gap_control")
    assert "No lossless control" in words(figure)
    alone = draw_gap_decomposition(parts_of_gap(decomposition(method="sampling only")), LABELS)
    assert "only that of sampling" in words(alone)
    assert "only that of sampling" not in words(draw_gap_decomposition(parts_of_gap(decomposition()), LABELS))
    assert draw_gap_decomposition(parts_of_gap(decomposition().head(0)), LABELS)
