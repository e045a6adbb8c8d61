"""Tables 1 and 2: long frames with full precision, and their rendering in the paper's layout."""

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

TABLE1_METRICS = {"balanced_accuracy": "bACC", "auc": "AUC", "mcc": "MCC"}
TABLE2_METRICS = {"ssim": "SSIM", "psnr": "PSNR"}
MISSING = "–"
PHANTOM_NOTICE = "Phantom data: synthetic images, not patients."

# A bracket or a star that starts a row would be taken as an argument of the "\\" before it.
LATEX_ESCAPES = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "[": "{[}", "*": "{*}"}
    | {"±": r"$\pm$", "∞": r"$\infty$", "×": r"$\times$", "≤": r"$\leq$", "≥": r"$\geq$"}
    | {"–": "--", "−": "$-$"}
)

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1a1a1a; background: #fff; margin: 2rem; }
table { border-collapse: collapse; border-top: 2px solid; border-bottom: 2px solid; }
caption { text-align: left; padding-bottom: .6rem; }
th, td { padding: .2rem .6rem; text-align: center; white-space: nowrap; font-variant-numeric: tabular-nums; }
th[scope=colgroup] { border-bottom: 1px solid #999; }
.name { text-align: left; vertical-align: top; }
.ruled { border-top: 1px solid; }
tfoot td { text-align: left; white-space: normal; font-size: 13px; }
tfoot p { margin: .2rem 0; }
"""

Block = tuple[str, list[list[str]]]


@dataclass(frozen=True)
class Labels:
    """What readers see instead of identifiers; dictionary order is the order of columns and rows."""

    datasets: dict[str, str]
    autoencoders: dict[str, str]
    synthetic: frozenset[str] = frozenset()


def labels_of(labels: dict[str, dict[str, str]], cards: Iterable[dict]) -> Labels:
    """The configured labels; that a dataset is synthetic is known from its card alone."""
    return Labels(**labels, synthetic=frozenset(card["dataset"] for card in cards if card["synthetic"]))


@dataclass(frozen=True)
class Layout:
    """One table as unescaped text: each dataset spans all metrics, rules part the sections."""

    title: str
    caption: str
    stubs: list[str]
    datasets: list[str]
    metrics: list[str]
    sections: list[list[Block]]
    footnotes: list[str]


def table1(metrics: pd.DataFrame, folds: Sequence[int]) -> pd.DataFrame:
    """Mean and sd (ddof 1) over folds per cell; a single fold gives sd 0.0, and n_folds 1 says why."""
    if metrics.empty:
        raise ValueError("Table 1: no metrics; expected one row per cell and fold; train the runs first")
    identity = ["dataset", "autoencoder", "role", "space", "recipe"]
    rows = []
    for key, cell in metrics.groupby(identity, sort=False, dropna=False):
        _refuse_wrong_folds(cell, folds, where="Table 1: " + _named(zip(identity, key, strict=True)))
        # Sums depend on the order of their terms, and the table must be the same bytes every time.
        cell = cell.sort_values("fold")
        rows += [(*key, metric, *_mean_and_sd(cell[metric]), len(cell)) for metric in TABLE1_METRICS]
    return pd.DataFrame(rows, columns=[*identity, "metric", "mean", "sd", "n_folds"])


def _refuse_wrong_folds(cell: pd.DataFrame, folds: Sequence[int], where: str) -> None:
    """Raise unless the cell has each fold once and no other, with a finite value of every metric."""
    found = cell["fold"].value_counts(dropna=False)
    for fold in [*folds, *found.index]:
        if found.get(fold, 0) != int(fold in folds):
            problem = f"has {found[fold]} row(s)" if fold in found else "is missing"
            raise ValueError(f"{where}, fold {fold} {problem}; expected folds {list(folds)}, one row each")
    for metric in TABLE1_METRICS:
        for fold in cell.loc[~np.isfinite(cell[metric].astype(float)), "fold"]:
            raise ValueError(f"{where}, fold {fold}: {metric} is not a finite number; evaluate that run again")


def table2(fidelity: pd.DataFrame) -> pd.DataFrame:
    """Mean and sd (ddof 1) over images of SSIM and of PSNR in dB, which is inf for identical images."""
    if fidelity.empty:
        raise ValueError("Table 2: no fidelity; expected one row per image; encode the datasets first")
    image = ["dataset", "autoencoder", "sample_id"]
    undefined = fidelity[list(TABLE2_METRICS)].isna().any(axis=1)
    for problem, mask in {"psnr or ssim is NaN": undefined, "two rows": fidelity.duplicated(image)}.items():
        for key in fidelity.loc[mask, image].itertuples(index=False):
            where = _named(zip(image, key, strict=True))
            raise ValueError(f"Table 2: {where}: {problem}; expected one row with values; encode again")
    identity = ["dataset", "autoencoder", "role"]
    rows = []
    for key, images in fidelity.groupby(identity, sort=False, dropna=False):
        rows += [(*key, metric, *_mean_and_sd(images[metric]), len(images)) for metric in TABLE2_METRICS]
    return pd.DataFrame(rows, columns=[*identity, "metric", "mean", "sd", "n"])


def _named(pairs: Iterable[tuple[str, object]]) -> str:
    return ", ".join(f"{name} {value}" for name, value in pairs)


def _mean_and_sd(column: pd.Series) -> tuple[float, float]:
    """Mean and sd with ddof 1 (one value: 0); with infinities inf, and sd 0 if all are infinite, else inf."""
    values = column.to_numpy(dtype=np.float64)
    infinite = np.isinf(values)
    if infinite.any():
        return np.inf, 0.0 if infinite.all() else np.inf
    return values.mean(), values.std(ddof=1) if len(values) > 1 else 0.0


def render_table1(
    table: pd.DataFrame, labels: Labels, footnotes: Iterable[str] = (), with_sd: bool = True
) -> dict[str, str]:
    """Table 1 as md, html and tex: image space, then the families in both spaces, then the controls."""
    cells = _cells(table, ["dataset", "autoencoder", "space", "metric"])
    datasets, families, controls = _order(table, labels)

    def row(head: str, autoencoder: str, space: str) -> list[str]:
        keys = [(dataset, autoencoder, space, metric) for dataset in datasets for metric in TABLE1_METRICS]
        return [head, *(_number(cells.get(key), with_sd=with_sd) for key in keys)]

    def block(autoencoder: str, name: str) -> Block:
        return name, [row("LS", autoencoder, "latent"), row("RS", autoencoder, "reconstruction")]

    folds = table["n_folds"].max()
    values = f"{'mean ± sd' if with_sd else 'mean'} over {folds} folds" if folds > 1 else "one fold"
    caption = (
        "Classifiers in image space, latent space (LS) and reconstruction space (RS): balanced accuracy "
        f"(bACC), AUC and Matthews correlation coefficient (MCC), {values}.{_notice(datasets, labels)}"
    )
    image = ("Image Space", [row(MISSING, "original", "image")])
    sections = [[image, *(block(*pair) for pair in families)], [block(*pair) for pair in controls]]
    stubs, heads = ["Method", "Sp."], [*TABLE1_METRICS.values()]
    return _render(Layout("Table 1", caption, stubs, [*datasets.values()], heads, sections, [*footnotes]))


def render_table2(table: pd.DataFrame, labels: Labels, footnotes: Iterable[str] = ()) -> dict[str, str]:
    """Table 2 as md, html and tex: mean SSIM and PSNR per autoencoder, families first, then the controls."""
    cells = _cells(table, ["dataset", "autoencoder", "metric"])
    datasets, families, controls = _order(table, labels)
    decimals = {"ssim": 3, "psnr": 1}

    def block(autoencoder: str, name: str) -> Block:
        keys = [(dataset, autoencoder, metric) for dataset in datasets for metric in TABLE2_METRICS]
        return name, [[_number(cells.get(key), decimals[key[-1]]) for key in keys]]

    caption = f"Fidelity of reconstructions: SSIM and PSNR (dB), mean over images.{_notice(datasets, labels)}"
    sections = [[block(*pair) for pair in group] for group in (families, controls)]
    stubs, heads = ["Autoencoder"], [*TABLE2_METRICS.values()]
    return _render(Layout("Table 2", caption, stubs, [*datasets.values()], heads, sections, [*footnotes]))


def _cells(table: pd.DataFrame, keys: list[str]) -> dict[tuple, dict]:
    """The rows of a long table by their keys; two rows for one printed cell are an error."""
    for key in table.loc[table.duplicated(keys), keys].itertuples(index=False):
        where = _named(zip(keys, key, strict=True))
        raise ValueError(f"two rows for {where}; a table prints one recipe per autoencoder and space")
    return table.set_index(keys).to_dict("index")


def _order(table: pd.DataFrame, labels: Labels) -> tuple[dict, list[tuple], list[tuple]]:
    """Labels of the datasets by identifier, then (identifier, label) of the families and of the controls."""
    roles = {a: r for a, r in zip(table["autoencoder"], table["role"], strict=True) if r != "baseline"}
    present = set(table["dataset"])
    for name in sorted((present - labels.datasets.keys()) | (roles.keys() - labels.autoencoders.keys())):
        raise ValueError(f"{name} is in the table but has no label; add it to the study's labels")
    datasets = {d: label for d, label in labels.datasets.items() if d in present}
    datasets |= {d: _marked(datasets[d], "phantom") for d in labels.synthetic & present}
    named = [(a, label) for a, label in labels.autoencoders.items() if a in roles]
    families = [(a, label) for a, label in named if roles[a] != "control"]
    controls = [(a, _marked(label, "control")) for a, label in named if roles[a] == "control"]
    return datasets, families, controls


def _marked(label: str, word: str) -> str:
    return label if word in label.lower() else f"{label} ({word})"


def _notice(datasets: dict[str, str], labels: Labels) -> str:
    return f" {PHANTOM_NOTICE}" if labels.synthetic & datasets.keys() else ""


def _number(cell: dict | None, decimals: int = 3, with_sd: bool = False) -> str:
    """A mean as '.924', or '.924 ± .012' where there is more than one fold, hence a spread to show."""
    if cell is None:
        return MISSING
    shown = [cell["mean"], cell["sd"]] if with_sd and cell["n_folds"] > 1 else [cell["mean"]]
    # Adding 0.0 turns the negative zero of a rounded -0.0001 into zero.
    texts = ["∞" if np.isinf(value) else f"{round(value, decimals) + 0.0:.{decimals}f}" for value in shown]
    return " ± ".join(re.sub(r"^(-?)0\.", r"\1.", text) for text in texts)


def _render(layout: Layout) -> dict[str, str]:
    return {"md": _markdown(layout), "html": _html(layout), "tex": _latex(layout)}


def _flat(section: list[Block]) -> list[list[str]]:
    """The rows of a section for formats without spanning rows: a name stands in its block's first row."""
    return [["" if i else name, *row] for name, rows in section for i, row in enumerate(rows)]


def _markdown(layout: Layout) -> str:
    """A pipe table; there are no spanners, so every column head names its dataset."""

    def escaped(text: str) -> str:
        return re.sub(r"([\\|*_`<\[\]])", r"\\\1", text)

    heads = [f"{dataset} {metric}" for dataset in layout.datasets for metric in layout.metrics]
    rows = [[*layout.stubs, *heads], *(row for section in layout.sections for row in _flat(section))]
    lines = [f"| {' | '.join(map(escaped, row))} |" for row in rows]
    lines.insert(1, "|" + " :-- |" * len(layout.stubs) + " --: |" * len(heads))
    parts = [f"**{layout.title}.** {escaped(layout.caption)}", "\n".join(lines)]
    return "\n\n".join([*parts, *map(escaped, layout.footnotes)]) + "\n"


def _html(layout: Layout) -> str:
    """A complete document, well-formed as XML too; the name of a block heads all rows of its tbody."""
    text, width = html.escape, len(layout.metrics)
    stubs = "".join(f'<th rowspan="2" scope="col" class="name">{text(stub)}</th>' for stub in layout.stubs)
    spanners = [f'<th colspan="{width}" scope="colgroup">{text(name)}</th>' for name in layout.datasets]
    heads = "".join(f'<th scope="col">{text(metric)}</th>' for metric in layout.metrics) * len(spanners)
    columns = len(layout.stubs) + width * len(spanners)
    notes = "".join(f"<p>{text(note)}</p>" for note in layout.footnotes)
    lines = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8"/>',
        f"<title>{text(layout.title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<table>",
        f"<caption><b>{text(layout.title)}.</b> {text(layout.caption)}</caption>",
        f"<thead>\n<tr>{stubs}{''.join(spanners)}</tr>\n<tr>{heads}</tr>\n</thead>",
        *(_html_block(*block, ruled=not i) for section in layout.sections for i, block in enumerate(section)),
        f'<tfoot class="ruled"><tr><td colspan="{columns}">{notes}</td></tr></tfoot>' if notes else "",
        "</table>\n</body>\n</html>\n",
    ]
    return "\n".join(filter(None, lines))


def _html_block(name: str, rows: list[list[str]], ruled: bool) -> str:
    head = f'<th rowspan="{len(rows)}" scope="rowgroup" class="name">{html.escape(name)}</th>'
    cells = ["".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in rows]
    opening = '<tbody class="ruled">' if ruled else "<tbody>"
    return f"{opening}\n<tr>{head}" + "</tr>\n<tr>".join(cells) + "</tr>\n</tbody>"


def _latex(layout: Layout) -> str:
    """A table float that needs the package booktabs and nothing else."""
    width, first = len(layout.metrics), len(layout.stubs) + 1
    starts = range(first, first + width * len(layout.datasets), width)
    spanners = [rf"\multicolumn{{{width}}}{{c}}{{{_latex_text(name)}}}" for name in layout.datasets]
    sections = ["\n".join(map(_latex_row, _flat(section))) for section in layout.sections if section]
    lines = [
        "% \\usepackage{booktabs}\n\\begin{table}[t]\n\\centering",
        rf"\caption{{{_latex_text(layout.caption)}}}",
        rf"\label{{tab:{layout.title.lower().replace(' ', '')}}}",
        # Four datasets with sd are twelve wide columns: what is wider than the text hangs out on both sides.
        r"\par\smallskip\scriptsize\setlength{\tabcolsep}{2pt}\makebox[\linewidth]{%",
        rf"\begin{{tabular}}{{{'l' * len(layout.stubs)}{'c' * width * len(spanners)}}}",
        "\\toprule\n" + " & ".join([""] * len(layout.stubs) + spanners) + r" \\",
        "".join(rf"\cmidrule(lr){{{start}-{start + width - 1}}}" for start in starts),
        _latex_row([*layout.stubs, *layout.metrics * len(spanners)]) + "\n\\midrule",
        "\n\\midrule\n".join(sections) + "\n\\bottomrule\n\\end{tabular}}",
        *(rf"\par\smallskip{{\small {_latex_text(note)}\par}}" for note in layout.footnotes),
        "\\end{table}\n",
    ]
    return "\n".join(lines)


def _latex_row(cells: list[str]) -> str:
    """A number's minus is set as one, and ± loses its spaces so that the row stays narrow."""
    row = " & ".join(re.sub(r"^-(?=[.\d])", "$-$", _latex_text(cell)) for cell in cells)
    return row.replace(r" $\pm$ ", r"$\pm$") + r" \\"


def _latex_text(text: str) -> str:
    return text.translate(LATEX_ESCAPES)
