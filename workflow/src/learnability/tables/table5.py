"""Table 5: what the latents of every autoencoder are like, beside the images and their nulls, and the gap."""

from collections.abc import Iterable, Mapping

import pandas as pd

from ..errors import InputError
from ..significance.diagnostics import BASELINE, FRAME, IMAGES, NUMBER, as_numbers, is_of, on_some, over_datasets
from ..significance.diagnostics_vs_gap import FEWEST, GAP, SUSPECTS, TOO_FEW, of_table1, suspects_of
from ..significance.level import ALPHA, P_BELOW
from ..significance.macro import MACRO
from ..significance.rows import DEGENERATE
from ..study.words import counted
from .diagnostic_labels import IN_TABLE5, amount_of
from .formats import render
from .labels import Labels, autoencoders_of, data_notes, datasets_of, notice
from .layout import MISSING, Block, Layout, listed, points, score

TABLE5_COLUMNS = [*FRAME[:3], *NUMBER, "value", "null", "factor"]
SUSPECTED = "The paper's suspects"
SAME = "the number or the gap is the same in all families"  # why two have no correlation


def table5(diagnostics: pd.DataFrame) -> pd.DataFrame:
    """TABLE5_COLUMNS: the rows of `diagnostics` (significance.diagnostics), and `macro`, their means over datasets.

    Numbers that there are not are "n/a" with a reason.
    """
    if diagnostics.empty:
        raise InputError("Table 5: no diagnostics; expected the files of diagnose_encoding; run that rule first")
    macro = pd.DataFrame({column: over_datasets(diagnostics, column) for column in ("value", "null")})
    macro = macro.reset_index().assign(dataset=MACRO)
    return pd.concat([diagnostics, macro], ignore_index=True)[TABLE5_COLUMNS]


def macro_gaps(gap: pd.DataFrame | None, datasets: Iterable[str]) -> dict[str, float]:
    """The gap of every autoencoder that has one on each of these datasets, averaged over them.

    `gap` has dataset, autoencoder and gap (diagnostics_vs_gap.gaps_of); None of a study without.
    """
    if gap is None:
        return {}
    grid = gap.pivot(index="autoencoder", columns="dataset", values=GAP).reindex(columns=[*datasets]).dropna()
    return grid.mean(axis=1).to_dict()


def render_table5(
    table: pd.DataFrame, labels: Labels, gap: pd.DataFrame | None = None, tests: pd.DataFrame | None = None
) -> dict[str, str]:
    """Table 5 as md, html and tex: a row per autoencoder, families first, then controls, images, nulls, rho.

    `tests` is diagnostics_vs_gap.csv; it and the gap are None of a study that has no gap.
    """
    cells = table[table["dataset"] != MACRO]
    macro = table[table["dataset"] == MACRO].assign(value=lambda rows: as_numbers(rows["value"]))
    values = {tuple(row[key] for key in ("autoencoder", "factor", *NUMBER)): row["value"]
              for row in macro.dropna(subset="value").to_dict("records")}  # fmt: skip
    measured = {key[2:] for key in values}
    shown = [key for key in IN_TABLE5 if key in measured or key in SUSPECTS]
    datasets = datasets_of(cells, labels)
    gaps = macro_gaps(gap, datasets)

    def row_of(name: str, factor: int) -> list[str]:
        found = [values.get((name, factor, *key)) for key in shown]
        texts = [MISSING if value is None else amount_of(value) for value in found]
        return texts + ([points(gaps[name]) if name in gaps else MISSING] if gaps else [])

    encoded = macro[macro["role"] != BASELINE]
    factors = dict(zip(encoded["autoencoder"], encoded["factor"], strict=True))
    sections: list[list[Block]] = [
        [(label, [row_of(name, factors[name])]) for name, label in part.items()]
        for part in autoencoders_of(encoded, labels)
    ]
    grids = sorted(macro.loc[macro["autoencoder"] == IMAGES, "factor"].unique())
    references = [(f"Images{f', 1/{factor}' if len(grids) > 1 else ''}", [row_of(IMAGES, factor)]) for factor in grids]
    blank = [MISSING] if gaps else []
    references.append(("Without structure", [[*(_null_of(encoded, key) for key in shown), *blank]]))
    sections.append(references)
    if tests is not None and gaps:
        rho = _correlations(tests)
        sections.append([("ρ with the gap", [[*(rho.get(key, MISSING) for key in shown), MISSING]])])
    notes = [*_notes(shown, tests if gaps else None), *partly(cells, labels), *data_notes(datasets, labels)]
    caption = _caption(datasets, labels, tests, bool(gaps))
    return render(Layout("Table 5", caption, ["Autoencoder"], _heads(shown, bool(gaps)), sections, notes))


def _null_of(encoded: pd.DataFrame, key: tuple[str, str]) -> str:
    """A number under its null: one for all autoencoders, or from the least to the most."""
    nulls = as_numbers(encoded.loc[is_of(encoded, key), "null"]).dropna()
    ends = dict.fromkeys(amount_of(end) for end in (nulls.min(), nulls.max())) if len(nulls) else {}
    return "–".join(ends) or MISSING


def _correlations(tests: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Spearman's rho of Table 1's gap over autoencoders, with a star where it is significant."""
    rows = of_table1(tests)
    found = rows.assign(effect=as_numbers(rows["effect"]), p=as_numbers(rows["p_corrected"])).dropna(subset="effect")
    return {(row["diagnostic"], row["variant"]): score(row["effect"])
            + ("*" if row["p"] < ALPHA else "") for row in found.to_dict("records")}  # fmt: skip


def _heads(shown: list[tuple[str, str]], with_gap: bool) -> list[tuple[str, list[str]]]:
    """The columns in two groups: LaTeX sets one below the other where both are too wide."""
    suspects, others = ([IN_TABLE5[key].head for key in shown if (key in SUSPECTS) == one] for one in (True, False))
    found = [(SUSPECTED, suspects), ("Others, and the gap" if with_gap else "Others", others + ["Gap"] * with_gap)]
    return [(name, heads) for name, heads in found if heads]


def _caption(datasets: Mapping[str, str], labels: Labels, tests: pd.DataFrame | None, with_gap: bool) -> str:
    several = f"mean over {counted(len(datasets), 'data set')}"
    over = several if len(datasets) > 1 else f"on {next(iter(datasets.values()))}"
    said = f"What latents are like: {over}, latents normalised per channel."
    if with_gap:
        said += " Gap: balanced accuracy on reconstructions less that on latents, in points."
    if with_gap and tests is not None:
        said += (
            " ρ: Spearman's correlation of a column with the gap over the families, which describes them; "
            f"* {P_BELOW} by permutation of the autoencoders, Holm over the three suspects."
        )
    return said + notice(datasets, labels)


def _notes(shown: list[tuple[str, str]], tests: pd.DataFrame | None) -> list[str]:
    """What the columns are, what the last rows are, and why no p is there."""
    notes = [
        " ".join(f"{IN_TABLE5[key].head}: {IN_TABLE5[key].meaning}." for key in shown),
        "Images: the images themselves, averaged to the grid of the latents. Without structure: the same numbers of "
        "shuffled cells or channels, of two unrelated latents, or with labels dealt anew to groups, from the least to "
        f"the most of all autoencoders. {MISSING}: no such number; table5.csv has the reason.",
    ]
    return notes + ([] if tests is None else without_p(tests))


def without_p(tests: pd.DataFrame) -> list[str]:
    """A sentence that says why no suspect has a p; none where one has."""
    rows = suspects_of(tests)
    if rows.empty or as_numbers(rows["p"]).notna().any():
        return []
    why = {TOO_FEW["method"]: f"that needs {FEWEST} families", DEGENERATE["method"]: SAME}
    return [f"No p: {'; '.join(text for method, text in why.items() if method in set(rows['method']))}."]


def partly(cells: pd.DataFrame, labels: Labels) -> list[str]:
    """A footnote of the autoencoders that are on some datasets alone."""
    names = datasets_of(cells, labels)
    encoded = cells[cells["autoencoder"] != IMAGES]
    found = [f"{labels.autoencoders[name]} (on {listed([names[dataset] for dataset in datasets])})"
             for name, datasets in on_some(encoded).items()]  # fmt: skip
    return [f"Not a mean over all data sets: {listed(found)}."] if found else []
