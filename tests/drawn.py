"""What a reader of a figure sees: its words, the data behind its artists, and whether print is legible."""

import warnings

import numpy as np
from matplotlib.text import Text

from learnability.figures.style import save


def lines(axes, gid):
    """The data (n, 2) of every line drawn under this name."""
    return [line.get_xydata() for line in axes.lines if line.get_gid() == gid]


def points(axes, gid):
    """All points under this name, sorted; (n, 2)."""
    return np.array(sorted(map(tuple, np.concatenate(lines(axes, gid)))))


def words(figure) -> str:
    """The words in a figure and in its note."""
    return " ".join(" ".join([*(text.get_text() for text in figure.findobj(Text)), figure.get_label()]).split())


def panel(figure, title):
    """The axes with this title."""
    (found,) = [axes for axes in figure.axes if title in (axes.get_title(), axes.get_title(loc="left"))]
    return found


def handle_of(figure, label):
    """The legend's handle with this label."""
    for legend in [*figure.legends, *(axes.get_legend() for axes in figure.axes)]:
        for handle, text in zip(legend.legend_handles, legend.get_texts(), strict=True) if legend else ():
            if text.get_text() == label:
                return handle
    raise AssertionError(f"{label} is not in the legend")


def look_of(line):
    return line.get_color(), line.get_marker(), line.get_markerfacecolor()


def files_of(figure, folder, name):
    """The bytes of both files; no warning may occur while they are written."""
    paths = [folder / f"{name}.svg", folder / f"{name}.png"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save(figure, *paths)
    return [path.read_bytes() for path in paths]


def tick_labels(axis):
    """The labels of the ticks within the limits; matplotlib keeps those beyond, without drawing them."""
    low, high = sorted(axis.get_view_interval())
    ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
    return [tick.label1 for tick in ticks if tick.label1.get_visible() and tick.label1.get_text()]


def assert_legible(figure):
    """At most a page wide, letters of at least 7 points, no words beyond the edge, tick labels that do not overlap."""
    assert figure.get_figwidth() <= 7.001
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.draw_without_rendering()
    axes = [axes for axes in figure.axes if axes.axison]
    ticks = [tick_labels(axis) for one in axes for axis in (one.xaxis, one.yaxis)]
    others = [text for text in figure.findobj(Text) if text.get_text() and not is_of_tick(text, figure)]
    for text in [*others, *(label for labels in ticks for label in labels)]:
        box = text.get_window_extent()
        assert text.get_fontsize() >= 7, text
        assert box.x0 >= -1 and box.y0 >= -1, text  # noqa: PT018
        assert box.x1 <= figure.bbox.x1 + 1 and box.y1 <= figure.bbox.y1 + 1, text  # noqa: PT018
    for labels in ticks:
        boxes = [label.get_window_extent() for label in labels]
        assert not [box for i, box in enumerate(boxes) if any(map(box.overlaps, boxes[:i]))], labels


def is_of_tick(text, figure):
    ticks = [tick for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for tick in axis.get_major_ticks()]
    return any(text in (tick.label1, tick.label2) for tick in ticks)
