"""What all figures share: a palette that colour-blind readers can tell apart, one mark per autoencoder, same bytes."""

from itertools import combinations

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from learnability.figures import style
from learnability.figures.gaps import KINDS
from learnability.figures.style import GREYS, PALETTE, SPACES, add_note, marks_of, panels, styled
from learnability.tables.labels import Labels
from learnability.tables.layout import score
from tests.drawn import files_of, tick_labels, words
from tests.unit.test_layering import FILES, imports

# Machado, Oliveira and Fernandes 2009, severity 1.0: what a reader with each kind of colour blindness sees.
SEEN = {
    "all colours": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
NAMES = {f"a{i}": f"Autoencoder {i}" for i in range(8)}


def lab(colour, seen):
    """CIELAB of an sRGB colour as it is seen."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.array(seen) @ linear, 0, 1)
    xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]]
    ratio = np.array(xyz) @ linear / [0.95047, 1, 1.08883]
    x, y, z = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("kind", SEEN)
@pytest.mark.parametrize(
    "colours",
    [PALETTE, [mark.colour for _, mark in KINDS.values()], [mark.colour for mark in SPACES.values()], GREYS[:2]],
)
def test_colours_can_be_told_apart(colours, kind):
    distances = [np.linalg.norm(lab(a, SEEN[kind]) - lab(b, SEEN[kind])) for a, b in combinations(colours, 2)]
    assert min(distances) > 12  # 2.3 is the least that is noticed


def test_an_autoencoder_looks_the_same_whatever_else_is_shown():
    labels = Labels({}, NAMES)
    roles = {name: "control" if name in ("a6", "a7") else "family" for name in NAMES}
    every = marks_of(labels, {"autoencoder": [*roles], "role": [*roles.values()]})
    assert len({(mark.colour, mark.marker) for mark in every.values()}) == len(NAMES)
    for name, role in roles.items():
        assert marks_of(labels, {"autoencoder": [name], "role": [role]}) == {name: every[name]}
        assert every[name].filled == (role == "family")
    assert marks_of(labels, {"autoencoder": ["original"], "role": ["baseline"]}) == {"original": SPACES["image"]}


def test_spaces_differ_in_marker_too():
    assert len({mark.marker for mark in SPACES.values()}) == len({mark.colour for mark in SPACES.values()}) == 3


@styled
def small_figure(synthetic):
    figure = Figure(layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 2], label="$5 and _more_$")
    axes.legend()
    add_note(figure, ["A note."], Labels({}, {}, frozenset(synthetic)), ["clinic"])
    return figure


def test_the_same_figure_is_the_same_bytes(tmp_path):
    first, second = (files_of(small_figure([]), tmp_path, name) for name in "ab")
    assert first == second
    svg = first[0].decode()
    assert "dc:date" not in svg
    assert "$5 and _more_$" in svg, "words are kept as words"


def test_a_style_of_the_users_own_changes_nothing(tmp_path):
    expected = files_of(small_figure([]), tmp_path, "a")
    with matplotlib.rc_context({"axes.facecolor": "red", "svg.hashsalt": None, "savefig.bbox": "tight"}):
        before = dict(matplotlib.rcParams)
        assert files_of(small_figure([]), tmp_path, "b") == expected
        assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("synthetic", [["clinic"], ["another"]])
def test_synthetic_data_is_named_in_the_note_of_the_figure_that_shows_it(synthetic):
    notice = "Phantom data: synthetic images, not patients."
    assert (notice in words(small_figure(synthetic))) == (synthetic == ["clinic"])


def test_the_lowest_panel_of_every_column_names_its_levels():
    figure, grid = panels(5, 4, 1.75, 2, sharex=True, sharey=True)
    figure.draw_without_rendering()
    named = [bool(tick_labels(axes.xaxis)) for axes in grid]
    assert named == [False, True, True, True, True]  # the fifth lies below the first


@pytest.mark.parametrize(("value", "shown"), [(0.0049, ".00"), (-0.123, "−.12"), (1.0, "1.00"), (-0.001, ".00")])
def test_scores_are_printed_as_in_the_tables(value, shown):
    assert score(value) == shown


def test_no_figure_uses_the_global_state_of_pyplot():
    names = [name for name in FILES if name.startswith("learnability.figures.")]
    assert len(names) > 6
    assert [name for name in names if "matplotlib.pyplot" in imports(name, FILES[name], True)] == []
    assert style.DPI >= 150
