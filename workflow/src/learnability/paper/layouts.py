"""Claims and published numbers as they are printed."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import pandas as pd

from ..significance.level import CONFIDENCE
from ..significance.macro import MACRO
from ..study.words import counted
from ..tables.formats import render
from ..tables.labels import PHANTOM_NOTICE, data_notes
from ..tables.layout import MISSING, SCORE_HEADS, Best, Block, Layout, amount, number
from .claims import spoken_of
from .findings import PAPER_AUTOENCODERS, PAPER_DATASETS, Findings
from .published_numbers import PHANTOM
from .verdicts import NOT_SUPPORTED, SUPPORTED, UNTESTABLE

SIDES = ("published", "measured", "difference")
COSTS = {"inference_samples_per_second": "samples/s", "inference_peak_mb": "MB"}
ROWS = {
    "image": "Image", "reconstruction": "RS baseline", "latent": "Latent", "latent_distilled": "Latent + distillation",
    "distilled": "+ Distill.", "tuned": "+ HP opt.", "noise_conditioned": "+ Noise cond.",
}  # fmt: skip


def render_claims(claims: pd.DataFrame, footnotes: Iterable[str] = ()) -> dict[str, str]:
    """The claims as md, html and tex: a table per part, verdicts in bold, footnotes below each.

    What the study did not measure is counted in one line below the last.
    """
    claims, others = spoken_of(claims)
    counts = [f"{(claims['verdict'] == verdict).sum()} {verdict}" for verdict in (SUPPORTED, NOT_SUPPORTED, UNTESTABLE)]
    phantom = (claims["data"] + claims["reason"]).str.contains("phantom", case=False).any()
    caption = f"{counted(len(claims), 'claim')}: {', '.join(counts)}. {{}}In square brackets {CONFIDENCE} intervals."
    captions = [caption.format(f"{PHANTOM_NOTICE} " if phantom else "")]
    layouts, notes = [], [*footnotes]
    for part, rows in claims.groupby("part", sort=False):
        blocks = [(row["statement"], [_claim_cells(row)]) for row in rows.to_dict("records")]
        text = f"{part}. {captions.pop()}" if captions else f"{part}."
        stubs = ["Claim", "In the paper", "Measured", "Test", "Verdict", "Why"]
        layouts.append(
            Layout(f"Claims {len(layouts) + 1}", text, stubs, [], [blocks], notes, (0.2, 0.16, 0.19, 0.13, 0.11, 0.21))
        )
    if not layouts:  # a study of which no claim is about anything
        layouts = [
            Layout("Claims", "No claim of the paper is about what this study measured.", ["Claim"], [], [], notes)
        ]
    if len(others):
        claims_are = "claim is" if len(others) == 1 else "claims are"
        more = f"{len(others)} more {claims_are} about what is not in this study (tables/claims.csv)."
        layouts[-1] = replace(layouts[-1], footnotes=[*notes, more])
    return render(*layouts)


def _claim_cells(row: dict) -> list[str]:
    place = row["place"].removeprefix("section 3: ")
    published = row["published"] if place == row["published"] else f"{row['published']} ({place})"
    test = row["test"] if row["p"] == "n/a" else f"{row['test']}: p = {row['p']:.2g}"
    measured = row["measured"] if row["measured"] != "n/a" else MISSING
    why = row["reason"] if row["data"] == "n/a" else f"{row['reason']} ({row['data']})"
    return [published, measured, MISSING if test == "n/a" else test, Best(row["verdict"]), why]


def render_published(numbers: pd.DataFrame, findings: Findings) -> dict[str, str]:
    """Published and measured numbers as md, html and tex: in the layouts of Tables 2, 3 and 4, then the scalars."""
    notes = data_notes(findings.labels.leaking, findings.labels)
    layouts = [make(numbers, findings) for make in (_fidelity, _efficiency, _ablation, _scalars)]
    return render(*(replace(layout, footnotes=[*layout.footnotes, *notes]) for layout in layouts))


def _notes(numbers: pd.DataFrame) -> list[str]:
    """What was not measured and why, and whether anything shown is a phantom."""
    notes = list(dict.fromkeys(status for status in numbers["status"] if status.startswith("not in")))
    lacking = dict.fromkeys(name for note in notes for name in note.removeprefix("not in this study: ").split(", "))
    found = [f"Not in this study: {', '.join(lacking)}."] if lacking else []
    parts = [status for status in numbers["status"] if status.startswith("measured ")]
    found += [f"{status[0].upper()}{status[1:]}." for status in dict.fromkeys(parts)]
    return found + ([f"Marked (phantom): {PHANTOM}. {PHANTOM_NOTICE}"] if (numbers["status"] == PHANTOM).any() else [])


def _three(cells: list[dict | None], shown: Callable[[dict, str], str]) -> list[list[str]]:
    """Rows published, measured and difference of a block; only the first where nothing was measured."""
    rows = [
        [side, *(MISSING if cell is None or cell[side] == "n/a" else shown(cell, side) for cell in cells)]
        for side in SIDES
    ]
    return [row for row in rows if row[0] == "published" or set(row[1:]) != {MISSING}]


def _value(cell: dict, side: str) -> str:
    """A number as its table prints it; what was measured on a phantom is called so."""
    value, metric = cell[side], cell["metric"]
    if metric in COSTS:
        text = f"-{amount(-value)}" if value < 0 else amount(value)
    else:
        text = f"{round(value, 1) + 0.0:.1f}" if metric == "psnr" else number(value)
    raised = side == "difference" and not text.startswith("-") and text.strip("0.")
    return ("+" if raised else "") + text + (" (phantom)" if side == "measured" and cell["status"] == PHANTOM else "")


def _layout(title: str, caption: str, heads: list, blocks: list[Block], numbers: pd.DataFrame) -> Layout:
    text = f"{caption}: published, measured here, and measured less published."
    return Layout(title, text, ["", ""], heads, [blocks], _notes(numbers))


def _by(numbers: pd.DataFrame, *keys: str) -> dict[tuple, dict]:
    return {tuple(row[key] for key in keys): row for row in numbers.to_dict("records")}


def _fidelity(numbers: pd.DataFrame, findings: Findings) -> Layout:
    rows = numbers[numbers["kind"] == "fidelity"]
    cells, metrics = _by(rows, "autoencoder", "dataset", "metric"), {"ssim": "SSIM", "psnr": "PSNR"}
    heads = [(findings.dataset(name), [*metrics.values()]) for name in PAPER_DATASETS] + [("Macro", ["PSNR"])]
    keys = [(name, metric) for name in PAPER_DATASETS for metric in metrics] + [(MACRO, "psnr")]
    blocks = [
        (findings.autoencoder(name), _three([cells.get((name, *key)) for key in keys], _value))
        for name in PAPER_AUTOENCODERS
    ]
    return _layout("Published Table 2", "SSIM and PSNR (dB) of reconstructions", heads, blocks, rows)


def _efficiency(numbers: pd.DataFrame, findings: Findings) -> Layout:
    rows = numbers[numbers["kind"] == "efficiency"]
    cells, names = _by(rows, "row", "metric"), list(dict.fromkeys(rows["row"]))
    heads = [("Scores", [*SCORE_HEADS.values()]), ("Inference", [*COSTS.values()])]
    blocks = [(ROWS[row], _three([cells.get((row, key)) for key in (*SCORE_HEADS, *COSTS)], _value)) for row in names]
    caption = f"{findings.dataset('imagenet')}, what classifiers reach in one budget, and what they cost"
    return _layout("Published Table 3", caption, heads, blocks, rows)


def _ablation(numbers: pd.DataFrame, findings: Findings) -> Layout:
    rows = numbers[numbers["kind"] == "ablation"]
    cells, names = _by(rows, "row", "metric"), list(dict.fromkeys(rows["row"]))
    blocks = [(ROWS[row], _three([cells.get((row, key)) for key in SCORE_HEADS], _value)) for row in names]
    caption = f"{findings.autoencoder('flux2')}, macro averages of latent classifiers"
    return _layout("Published Table 4", caption, [("Macro", [*SCORE_HEADS.values()])], blocks, rows)


def _scalars(numbers: pd.DataFrame, findings: Findings) -> Layout:
    rows = numbers[~numbers["kind"].isin(["fidelity", "efficiency", "ablation"])]
    blocks = [(_quantity(row, findings), [_scalar(row)]) for row in rows.to_dict("records")]
    stubs = ["Number", "Place", "Published", "Measured", "Difference"]
    caption = "Numbers in the text: published, measured here, and measured less published."
    return Layout("Published numbers", caption, stubs, [], [blocks], _notes(rows), (0.3, 0.26, 0.14, 0.16, 0.14))


def _quantity(row: dict, findings: Findings) -> str:
    dataset, name = findings.dataset(row["dataset"]), findings.autoencoder(row["autoencoder"])
    return {
        "gap": f"Gap in bACC on {dataset}, {'every autoencoder' if name == 'n/a' else name}",
        "residual_gap": f"Gap in bACC left after noise conditioning, {name}",
        "score": f"Macro bACC of latents, {name}",
        "gain": f"bACC on {dataset}, latent less image",
        "ratio": f"{'Speed, latent' if 'second' in row['metric'] else 'Memory, image'} over "
        f"{'image' if 'second' in row['metric'] else 'latent'}",
        "p_value": "One-sided signed-rank p over 20 pairs",
        "imbalance_ratio": f"Imbalance ratio of {dataset}",
    }[row["kind"]]


def _scalar(row: dict) -> list[str]:
    cells = [row["place"].removeprefix("section 3: ")]
    for side in SIDES:
        ends = [row[side], row[f"{side}_high"]]
        cells.append(_ends([end for end in ends if end != "n/a"], row["kind"]))
    if row["status"] == PHANTOM:
        cells[2] += " (phantom)"
    elif cells[2] == MISSING:
        cells[2] = "not measured"
    return cells


def _ends(ends: list[float], kind: str) -> str:
    if not ends:
        return MISSING
    if kind == "p_value":
        return f"{ends[0]:.2g}".replace("e-0", "e-")
    if kind in ("ratio", "imbalance_ratio"):
        return f"more than {ends[0]:g}" if ends[-1] == float("inf") else f"{ends[0]:.3g}"
    return " to ".join(number(end) for end in ends)
