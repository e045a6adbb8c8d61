"""The files of tests as readable pages: fewer columns, rounded numbers, labels."""

import pandas as pd

from ..significance.diagnostics_vs_gap import OVER_AUTOENCODERS
from ..significance.level import CONFIDENCE, CONFIDENCE_TOST
from ..significance.macro import MACRO
from .diagnostic_labels import label_of
from .formats import render
from .labels import PHANTOM_NOTICE, REMEDY_WORDS, Labels, data_notes, recipe_in_words
from .layout import MISSING, Block, Layout

WORDS = [
    "remedy", "recipe", "comparison", "dataset", "autoencoder", "base", "trainings", "metric", "role", "alternative",
    "method", "correction", "control",
]  # fmt: skip
TITLES = {
    "latent_vs_reconstruction": "The gap of every cell",
    "group_level": "The gap over groups of images",
    "study_level": "The gap over data sets",
    "wilcoxon": "The gap over all cells",
    "equivalence": "Reconstructions against images",
    "finetuning": "Fine-tuned against its base",
    "fidelity_vs_gap": "PSNR against the gap",
    "ablation": "Rows of Table 4 against each other",
    "gap_decomposition": "What the encoding itself costs",
    "gap_by_share": "The gap by the share of the training rows",
    "remedies": "What remedies gain",
    "diagnostics_vs_gap": "What latents are like against the gap",
}

NOT_SHOWN = ("_low", "_high", "_df")  # ends of columns that stand beside their number, or in the file alone
# Over all datasets, which their rows do not name.
OVER_ALL = {"study_level", "wilcoxon", "fidelity_vs_gap", "diagnostics_vs_gap", "equivalence"}
IN_RECONSTRUCTION = "_in_reconstruction"  # how the comparison of fine-tuning in that space ends
OF_DECOMPOSED = (
    "Mean of the families: of each data set, every image averaged over them, as the first test of the study's "
    "families. Corrected by Holm over the family cells of one recipe and metric."
)
NOTES = {
    "group_level": "Sampling only: fewer than three folds were run, so the test decides nothing.",
    "study_level": "These data sets: the mean over them; further data set: a t over their means.",
    "wilcoxon": (
        "Over pairs it is the paper's own test. It treats pairs as independent although they share images and folds "
        "(14 to 23 % false positives in simulation), and decides no verdict."
    ),
    "gap_decomposition": OF_DECOMPOSED,
    "gap_by_share": f"The gap by every recipe of the learning curve. {OF_DECOMPOSED}",
    "remedies": (
        "Gap: reconstructions less latents, with the remedy. Gain: the gap without it less that; less the gain of the "
        "control, of the rotation or of fine-tuning alone. These data sets: the mean over families, then over them."
    ),
    "fidelity_vs_gap": "p by permutation of the autoencoders, jointly over data sets.",
    "diagnostics_vs_gap": (
        "Spearman's correlations over the autoencoder families, controls left out; p by permutation of the "
        "autoencoders, of the paper's three suspects alone. The file has more: over cells, with each data set left out."
    ),
}


def render_tests(name: str, tests: pd.DataFrame, labels: Labels) -> str:
    """A file of `significance/` as HTML: words, then numbers to three digits, intervals beside their effect.

    `tests` is the CSV with "n/a" kept; rows of one test stand together. What is the same in every row is said once.
    """
    if name == "diagnostics_vs_gap":
        tests = _over_autoencoders(tests)
    shown = {
        "dataset": lambda name: "macro average" if name == MACRO else labels.dataset(name),
        **dict.fromkeys(("autoencoder", "base", "control"), lambda name: labels.autoencoders.get(name, name)),
        "remedy": lambda name: REMEDY_WORDS[name],
        "recipe": recipe_in_words,
        "comparison": lambda name: compared(name, labels),
    }
    frame = tests.assign(**{column: tests[column].map(label) for column, label in shown.items() if column in tests})
    if "test" not in frame:
        means = frame["autoencoder"] == "n/a"
        frame.insert(0, "test", means.map({False: "gaps", True: "mean of the families"}))
    words = [column for column in WORDS if column in frame and frame[column].nunique() > 1]
    same = {column: frame[column].iloc[0] for column in WORDS if column in frame and column not in words and len(frame)}
    used = [column for column in frame.columns if (frame[column] != "n/a").any()]
    numbers = [column for column in used if column not in ("test", *WORDS) and not column.endswith(NOT_SHOWN)]
    sections: list[list[Block]] = []
    for test, rows in frame.groupby("test", sort=False):
        lines = [
            [*(_words(row[column]) for column in words), *(_with_interval(row, column) for column in numbers)]
            for row in rows.to_dict("records")
        ]
        sections.append([(_words(test), lines)])
    caption = " ".join(filter(None, [f"significance/{name}.csv.", NOTES.get(name)]))
    if any(column.endswith("ci_low") for column in used):
        caption += f" In square brackets: {CONFIDENCE_TOST if name == 'equivalence' else CONFIDENCE} intervals."
    said = [f"{column} {_words(value)}" for column, value in same.items() if value != "n/a"]
    caption += f" In every row: {', '.join(said)}." if said else ""
    if labels.synthetic and (labels.synthetic & set(tests["dataset"]) or name in OVER_ALL):
        caption += f" {PHANTOM_NOTICE}"
    heads = [("Numbers", [_words(column) for column in numbers])]
    over_all = name in OVER_ALL or MACRO in set(tests["dataset"])
    notes = data_notes(labels.leaking if over_all else tests["dataset"], labels)
    return render(Layout(TITLES[name], caption, ["test", *words], heads, sections, notes))["html"]


def _over_autoencoders(tests: pd.DataFrame) -> pd.DataFrame:
    """What is read of diagnostics_vs_gap.csv: correlations over autoencoders, on all data sets, by their labels."""
    rows = tests[(tests["test"] == OVER_AUTOENCODERS) & (tests["effect"] != "n/a")]
    pairs = zip(rows["diagnostic"], rows["variant"], rows["comparison"], strict=True)
    named = [f"{label_of(*number)} and {_words(pair.rpartition('_vs_')[2])}" for *number, pair in pairs]
    return rows.assign(comparison=named).drop(columns=["diagnostic", "variant", "statistic"])


def compared(comparison: str, labels: Labels) -> str:
    """'MedVAE-FT less MedVAE in reconstruction': the sides of a comparison by their labels."""
    sides = comparison.removesuffix(IN_RECONSTRUCTION).split("_vs_")
    where = " in reconstruction" if comparison.endswith(IN_RECONSTRUCTION) else ""
    return " less ".join(labels.autoencoders.get(side, _words(side)) for side in sides) + where


def _words(name: str) -> str:
    return name.replace("_vs_", " less ").replace("_", " ")


def _with_interval(row: dict, column: str) -> str:
    low, high = ("ci_low", "ci_high") if column == "effect" else (f"{column}_ci_low", f"{column}_ci_high")
    shown = _number(row[column])
    return shown if row.get(low, "n/a") == "n/a" else f"{shown} [{_number(row[low])}, {_number(row[high])}]"


def _number(text: str) -> str:
    return MISSING if text == "n/a" else f"{float(text):.3g}".replace("e-0", "e-").replace("-", "−")
