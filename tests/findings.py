"""A made-up study whose numbers are known by hand, as `claims.read_findings` gives it."""

import functools
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from learnability.autoencoders.lossy import psnr_of_encodings
from learnability.paper.claims import CLAIMS, judge_claims
from learnability.paper.findings import PAPER_AUTOENCODERS, Findings, read_numbers, read_published
from learnability.significance import ablation as ablation_tests
from learnability.significance import gap as gap_tests
from learnability.significance.cells import (
    paired_differences,
    reconstruction_minus,
    runs_by_cell,
    sides_of_finetuning,
)
from learnability.significance.group_level import BOTH, FEWEST_FOLDS, SAMPLING
from learnability.significance.groups import CELL_TEST, DATASET_TEST, OF_A_FURTHER, OF_THESE
from learnability.significance.rows import TEST_COLUMNS, table
from learnability.significance.rows import row as row_of_tests
from learnability.significance.t_tests import corrected_t, standard_error
from learnability.storage.contracts import write_csv
from learnability.study.presentation import all_labels
from learnability.tables.labels import Labels
from learnability.tables.table1 import table1
from learnability.tables.table2 import table2
from learnability.tables.table3 import TABLE3_COLUMNS
from learnability.tables.table4 import table4
from tests.published import published

# With mean 0. Times `spread`, the standard error of five folds is spread / sqrt(3) with Nadeau and Bengio's correction
# for a third as many test as training rows, and the 95 % interval is 1.603 spread to either side.
SHAPE = np.array([-1, -0.5, 0, 0.5, 1])
GAPS = {
    "ct_rate": [0.05, 0.06, 0.07, 0.08, 0.09],
    "isic2019": [0.278, 0.26, 0.24, 0.2, 0.19],
    "mimic_cxr_lt": [0.13, 0.12, 0.1, 0.08, 0.07],
    "cardium": [0.004, 0.003, 0.002, 0.003, 0.004],
}
ROWS = {
    "reconstruction": ("reconstruction", "image"),
    "latent": ("latent", "latent"),
    "distilled": ("latent", "distilled"),
    "tuned": ("latent", "tuned"),
    "noise_conditioned": ("latent", "noise_conditioned"),
}
TABLE4 = {"reconstruction": 0.0, "latent": -0.1, "distilled": -0.06, "tuned": -0.11, "noise_conditioned": -0.07}
SPEED = {"image": (0.459, 50, 20000), "latent": (0.63, 3200, 166), "latent_distilled": (0.711, 3200, 166)}


def run(dataset, autoencoder, space, recipe, fold, score):
    role = "baseline" if autoencoder == "original" else "family"
    identity = {"dataset": dataset, "autoencoder": autoencoder, "space": space, "recipe": recipe, "fold": fold}
    scores = {"balanced_accuracy": score, "auc": score, "mcc": score}
    return (
        identity | {"role": role, "seed": fold, "n_train": 600, "n_test": 200, "device": "GPU", "epochs": 20} | scores
    )


def metrics_of(gaps=GAPS, spread=0.002, folds=5, loss=0.0, tuned=0.0, autoencoders=PAPER_AUTOENCODERS):
    """Runs of Table 1: images score .7, reconstructions `loss` less, and latents their gap less than these.

    Every dataset loses a little more than the one before. `tuned` is the advantage of MedVAE-FT in both spaces.
    """
    rows = []
    for number, (dataset, values) in enumerate(gaps.items()):
        level = 0.7 - loss - 0.001 * number
        for fold, deviation in enumerate(spread * SHAPE[:folds]):
            rows.append(run(dataset, "original", "image", "image", fold, 0.7 + deviation))
            for autoencoder, gap in zip(autoencoders, values, strict=True):
                own = level + (tuned + deviation if autoencoder == "medvae_ft" else 0.0)
                rows.append(run(dataset, autoencoder, "reconstruction", "image", fold, own + 2 * deviation))
                rows.append(run(dataset, autoencoder, "latent", "latent", fold, own - gap + deviation))
    return pd.DataFrame(rows)


def metrics_of_table4(effects, spread, folds, datasets, name="flux2"):
    """Runs of an autoencoder: each row differs from .7 by its effect, with its own deviation over folds."""
    return pd.DataFrame(
        run(dataset, name, *ROWS[row], fold, 0.7 + effect + (1 + number) * deviation)
        for dataset in datasets
        for number, (row, effect) in enumerate(effects.items())
        for fold, deviation in enumerate(spread * SHAPE[:folds])
    )


def fidelity_of(datasets, psnr, autoencoders):
    rows = [
        {
            "dataset": dataset,
            "autoencoder": name,
            "role": "family",
            "sample_id": f"s{i}",
            "psnr": value + i,
            "ssim": 0.9,
        }
        for dataset in datasets
        for name, value in zip(autoencoders, psnr, strict=True)
        for i in (-1, 0, 1)
    ]
    return pd.DataFrame(rows)


def table3_of(dataset="imagenet", device="NVIDIA GH200", autoencoder="flux2"):
    rows = []
    for row, (score, speed, memory) in SPEED.items():
        costs = {"inference_samples_per_second": speed, "inference_peak_mb": memory}
        costs |= {"train_samples_per_second": speed / 3, "train_peak_mb": memory}
        values = dict.fromkeys(("balanced_accuracy", "auc", "mcc"), score) | costs
        for metric, value in values.items():
            size = 64 if metric in costs else "n/a"
            rows.append((row, dataset, autoencoder, "latent", row, metric, value, size, 86400, device))
    return pd.DataFrame(rows, columns=TABLE3_COLUMNS)


def decomposition_of(datasets, matched=0.08, encoding=0.06, half=0.02, recipe="matched", df=4):
    gaps = {"gap_paper": 0.1, "gap_matched": matched, "gap_control": matched - encoding, "gap_encoding": encoding}
    rows = []
    for dataset in datasets:
        row = {"dataset": dataset, "autoencoder": "flux2", "metric": "balanced_accuracy", "role": "family"}
        row |= {"recipe": recipe, "trainings": 1, "control": "pixel_unshuffle_8", "n": 5, "method": BOTH}
        for gap, value in gaps.items():
            row |= {gap: value, f"{gap}_ci_low": value - half, f"{gap}_ci_high": value + half}
            row |= {f"{gap}_p": 2 * stats.t.sf(abs(value) / (half / stats.t.ppf(0.975, df)), df), f"{gap}_df": df}
        rows.append(row)
    return pd.DataFrame(rows)


def with_means(frame):
    """Such rows behind those of the mean over the families of each dataset, whose gaps have the other sign."""
    gaps = [column for column in frame if column.startswith("gap_") and not column.endswith(("_p", "_df"))]
    return pd.concat([frame.assign(autoencoder="n/a", **-frame[gaps]), frame])


def controls_of(scores, folds=5):
    """The macro average of ablation_controls of FLUX.2: (mean, sd) of balanced accuracy by space and row."""
    rows = [("macro", "flux2", row, space, row, "balanced_accuracy", *score, folds) for (space, row), score in scores]
    columns = ["dataset", "autoencoder", "row", "space", "recipe", "metric", "mean", "sd", "n_folds"]
    return pd.DataFrame([("isic2019", *row[1:]) for row in rows] + rows, columns=columns)


def card_of(dataset, synthetic=False, **changes):
    card = {"dataset": dataset, "synthetic": synthetic, "images": 4000, "groups": 1000, "classes": ["a", "b"]}
    return (
        card
        | {"grouped": True, "imbalance_ratio": 60.0, "digest": 64 * "d", "subset": None, "published": None}
        | changes
    )


def group_row(test, comparison, labels, differences, ratio):
    """A row of group_level.csv with the numbers of the corrected t over folds: their df and their error."""
    result, folds = corrected_t(differences, ratio), len(differences)
    variance = standard_error(differences, ratio) ** 2
    said = {"method": BOTH if folds >= FEWEST_FOLDS else SAMPLING, "df": folds - 1 if variance else "n/a"}
    said |= {"variance_sampling": variance, "variance_training": 0.0, "n_folds": folds, "p": result.get("p", 1.0)}
    return row_of_tests(test, comparison, result | said, **labels)


def frames_of_groups(metrics, pairs):
    """group_level.csv and study_level.csv of a study of which only the differences over folds are known."""
    runs, cells = runs_by_cell(metrics), []
    for space in ("latent", "image"):
        cells += [(f"reconstruction_vs_{space}", cell) for cell in reconstruction_minus(metrics, space)]
    cells += [(name, paired_differences(*sides)) for name, *sides in sides_of_finetuning(runs, pairs)]
    rows, study = [group_row(CELL_TEST, name, cell.labels, *cell[1:]) for name, cell in cells], []
    for comparison in ("reconstruction_vs_latent", "reconstruction_vs_image"):
        own = [cell for name, cell in cells if name == comparison]
        of_dataset = {cell.labels["dataset"]: [] for cell in own}
        for cell in own:
            of_dataset[cell.labels["dataset"]].append(cell.differences)
        means = {name: np.mean(found, axis=0) for name, found in of_dataset.items()}
        for name, mean in means.items():
            labels = {"dataset": name, "role": "family"}
            rows.append(group_row(DATASET_TEST, comparison, labels, mean, own[0].test_over_train))
        over = group_row(OF_THESE, comparison, {"role": "family"}, np.mean([*means.values()], axis=0), 1 / 3)
        study.append(over | {"n": len(means)})
        further = group_row(OF_A_FURTHER, comparison, {"role": "family"}, [mean.mean() for mean in means.values()], 0)
        study.append(further)
    columns = [*TEST_COLUMNS, "df", "variance_sampling", "variance_training", "n_folds"]
    together = table(rows, together=lambda entry: (entry["test"], entry["comparison"]), columns=columns)
    return {"group_level": together, "study_level": table(study, columns=columns)}


@functools.cache
def frames_of_table1(gaps, spread, folds, loss, tuned, psnr, autoencoders=PAPER_AUTOENCODERS):
    """Tables 1 and 2 and their tests; `gaps` is a tuple of (dataset, gaps) pairs."""
    metrics = metrics_of(dict(gaps), spread, folds, loss, tuned, autoencoders)
    fidelity = fidelity_of([name for name, _ in gaps], psnr, autoencoders)
    return frames_of_groups(metrics, [("medvae_ft", "medvae")]) | {
        "table1": table1(metrics, range(folds)),
        "table2": table2(fidelity),
        "latent_vs_reconstruction": gap_tests.latent_vs_reconstruction(metrics),
        "wilcoxon": gap_tests.wilcoxon(metrics),
        "equivalence": gap_tests.equivalence(metrics, 0.02),
        "finetuning": gap_tests.finetuning(metrics, [("medvae_ft", "medvae")]),
        "fidelity_vs_gap": gap_tests.fidelity_vs_gap(metrics, psnr_of_encodings(fidelity)),
    }


@functools.cache
def frames_of_table4(effects, spread, folds, datasets):
    metrics = pd.concat(metrics_of_table4(dict(rows), spread, folds, datasets, name) for name, rows in effects)
    return {"table4": table4(metrics, ROWS, range(folds)), "ablation": ablation_tests.ablation(metrics, ROWS)}


def as_read(frames: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Tables as read from their CSV files, the only form in which the judge gets them."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder) / f"{name}.csv" for name in frames}
        for name, path in paths.items():
            write_csv(frames[name], path)
        return {name: read_numbers(path) for name, path in paths.items()}


@functools.cache
def read_frames(table1_arguments, table4_arguments):
    return as_read(frames_of_table1(*table1_arguments)) | as_read(frames_of_table4(*table4_arguments))


def made_up(
    gaps=GAPS, spread=0.002, folds=5, loss=0.0, tuned=0.0, psnr=(34.3, 40.2, 41.4, 29.9, 38.9), effects=TABLE4,
    synthetic=(), without=(), table3=None, decomposition=None, controls=None, autoencoders=PAPER_AUTOENCODERS,
    own_effects=None, n_splits=5,
):  # fmt: skip
    """The findings of a study from all tables except those in `without`.

    Table 4 has FLUX.2 with `effects`, and an autoencoder `own` with `own_effects`, as far as these are given.
    """
    pairs = tuple((name, tuple(values)) for name, values in gaps.items())
    by_name = {"flux2": effects, "own": own_effects}
    table4_effects = tuple((name, tuple(rows.items())) for name, rows in by_name.items() if rows)
    frames = read_frames(
        (pairs, spread, folds, loss, tuned, psnr, autoencoders), (table4_effects, spread, folds, tuple(gaps))
    )
    others = {"table3": table3_of() if table3 is None else table3}
    others |= {"gap_decomposition": decomposition_of(gaps) if decomposition is None else decomposition}
    others |= {} if controls is None else {"ablation_controls": controls}
    frames = {name: frame.copy() for name, frame in (frames | as_read(others)).items() if name not in without}
    cards = {name: card_of(name, name in synthetic) for name in (*gaps, "imagenet")}
    names = all_labels(published())
    labels = Labels(**names, synthetic=frozenset(synthetic))
    return Findings(frames, cards, labels, 0.02, n_splits, read_published(), names)


def judged(*keys: str, found: Findings | None = None, **study) -> pd.DataFrame:
    """The rows of only these claims, for these findings or for a made-up study."""
    claims = [claim for claim in CLAIMS if claim.key in keys]
    assert len(claims) == len(keys), keys
    return judge_claims(found or made_up(**study), claims)
