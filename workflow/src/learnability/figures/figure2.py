"""Figure 2: does fidelity predict the gap? PSNR against the gap over all pairs of family and dataset."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import stdtrit

from ..significance.level import ALPHA
from ..tables.labels import Labels, autoencoders_of, datasets_of
from ..tables.layout import score
from .style import FAINT, LINES, QUIET, SMALL, WIDTH, add_note, marks_of, styled


def pairs_of(table2: pd.DataFrame, gaps: pd.DataFrame) -> pd.DataFrame:
    """dataset, autoencoder, role, gap, n (folds), psnr (dB) and identical of every family pair that has both.

    `gaps` is latent_vs_reconstruction.csv; psnr is the mean over the images that did not come back identical, or inf.
    """
    psnr = table2[table2["metric"] == "psnr"].rename(columns={"mean": "psnr"})
    chosen = (gaps["test"] == "paired_t") & (gaps["metric"] == "balanced_accuracy") & (gaps["role"] == "family")
    gap = gaps[chosen].rename(columns={"effect": "gap"}).astype({"gap": float, "n": int})
    pairs = gap[["dataset", "autoencoder", "role", "gap", "n"]]
    return pairs.merge(psnr[["dataset", "autoencoder", "psnr", "identical"]], on=["dataset", "autoencoder"])


def regression(x: np.ndarray, y: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """The least-squares line at `at`, and half the width of the pointwise 95 % interval of the mean there.

    None where there is no such line: fewer than three points, or all at one x.
    """
    n, centre = len(x), np.mean(x) if len(x) else 0.0
    spread = np.sum((x - centre) ** 2)
    if n < 3 or spread < 1e-12:
        return None
    slope = np.sum((x - centre) * (y - np.mean(y))) / spread
    residual = y - np.mean(y) - slope * (x - centre)
    error = np.sqrt(np.sum(residual**2) / (n - 2) * (1 / n + (at - centre) ** 2 / spread))
    return np.mean(y) + slope * (at - centre), stdtrit(n - 2, 1 - ALPHA / 2) * error


@styled
def draw_figure2(table2: pd.DataFrame, gaps: pd.DataFrame, tests: pd.DataFrame, labels: Labels) -> Figure:
    """Points by autoencoder, joined within a dataset; the regression over all; the statistics of `tests` beside it.

    `tests` is fidelity_vs_gap.csv, which is quoted and not computed again.
    """
    pairs = pairs_of(table2, gaps)
    finite = pairs[np.isfinite(pairs["psnr"])]
    figure = Figure(figsize=(WIDTH, 3.5), layout="constrained")
    axes, side = figure.subplots(1, 2, width_ratios=[3.2, 1])
    side.axis("off")
    marks = marks_of(labels, pairs)
    drawn = draw_regression(axes, finite["psnr"].to_numpy(), finite["gap"].to_numpy())
    draw_datasets(axes, finite, datasets_of(finite, labels))
    families, _ = autoencoders_of(finite, labels)
    for name, label in families.items():
        points = finite[finite["autoencoder"] == name]
        axes.plot(points["psnr"], points["gap"], **marks[name].points(6, zorder=4), label=label)
    axes.axhline(0, color=QUIET, linewidth=0.6, zorder=1)
    axes.set_xlabel("PSNR of the reconstructions (dB, mean over images)")
    axes.set_ylabel("gap in balanced accuracy\n(reconstruction − latent space)")
    if families:
        side.legend(*axes.get_legend_handles_labels(), loc="upper left", bbox_to_anchor=(0, 1))
    side.text(0, 0, "\n".join(statistics(tests)), va="bottom", fontsize=SMALL, linespacing=1.5)
    add_note(figure, sentences(pairs, finite, drawn), labels, pairs["dataset"])
    return figure


def draw_regression(axes: Axes, x: np.ndarray, y: np.ndarray) -> bool:
    """The line over all pairs with its interval, if there is one."""
    at = np.linspace(x.min(), x.max(), 60) if len(x) else np.zeros(0)
    fitted = regression(x, y, at)
    if fitted is None:
        return False
    line, half = fitted
    axes.fill_between(at, line - half, line + half, color="#dddddd", linewidth=0, zorder=0, gid="interval")
    axes.plot(at, line, color="black", linewidth=1.4, zorder=2, gid="regression")
    return True


def draw_datasets(axes: Axes, pairs: pd.DataFrame, datasets: dict[str, str]) -> None:
    """A faint line through the pairs of each dataset, named at its right end; names do not cover each other."""
    if pairs.empty:
        return
    ends = []
    for place, (name, label) in enumerate(datasets.items()):
        points = pairs[pairs["dataset"] == name].sort_values("psnr")
        axes.plot(points["psnr"], points["gap"], linestyle=LINES[place % len(LINES)], color="#999999",
                  linewidth=0.7, zorder=1)  # fmt: skip
        ends.append((points["gap"].iloc[-1], points["psnr"].iloc[-1], label))
    low, high = axes.get_ylim()
    step = 0.055 * (high - low)
    right = pairs["psnr"].max() + 0.04 * max(np.ptp(pairs["psnr"]), 1.0)
    height = -np.inf
    for gap, psnr, label in sorted(ends):
        height = max(gap, height + step)
        leader = {"arrowstyle": "-", "color": FAINT, "linewidth": 0.6, "shrinkB": 4}
        words = {"va": "center", "fontsize": SMALL, "color": QUIET}
        axes.annotate(label, (psnr, gap), (right, height), arrowprops=leader, **words, zorder=3)


def statistics(tests: pd.DataFrame) -> list[str]:
    """The correlations of fidelity_vs_gap.csv in words, with n/a if a test had no data."""
    lines = []
    for title, suffix in {"All pairs": "", "Within datasets": "_within_dataset"}.items():
        for kind, symbol in {"pearson": "r", "spearman": "ρ"}.items():
            for row in tests[tests["test"] == kind + suffix].to_dict("records"):
                if kind == "pearson":
                    lines += [*([""] if lines else []), f"{title}, n = {row['n']}"]
                lines.append(f"{symbol} {result_in_words(row)}")
    return lines or ["No pair to correlate."]


def result_in_words(row: dict) -> str:
    """Effect, interval where there is one, and p of one test."""
    if row["p"] == "n/a":
        return "n/a"
    interval = ""
    if row["ci_low"] != "n/a":
        interval = f" [{score(float(row['ci_low']))}, {score(float(row['ci_high']))}]"
    return f"= {score(float(row['effect']))}{interval}, p {p_value(float(row['p']))}"


def p_value(p: float) -> str:
    return "< .001" if p < 0.001 else f"= {score(p, 3 if p < 0.1 else 2)}"


def sentences(pairs: pd.DataFrame, finite: pd.DataFrame, drawn: bool) -> list[str]:
    """What the note says of these pairs."""
    number = "One pair" if len(finite) == 1 else f"{len(finite)} pairs"
    folds = pairs["n"].max() if len(pairs) else 0
    over = f", each the mean over {f'{folds} folds' if folds > 1 else 'one fold'}" if folds else ""
    said = [f"{number} of autoencoder family and dataset{over}."]
    if len(finite) < len(pairs):
        said.append(f"{len(pairs) - len(finite)} left out because all images came back identical (infinite PSNR).")
    if identical := int(finite["identical"].sum()):
        said.append(f"Identical reconstructions left out of the means of PSNR: {identical:,} (Table 2).")
    if not drawn:
        said.append("No regression: it needs three pairs that differ in PSNR.")
    return said
