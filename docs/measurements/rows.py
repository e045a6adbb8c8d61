"""What a study has a row for each image of, in few bytes: probabilities of runs, fidelity of encodings; see parts.py.

A row is told by its place: those of a run's split, or of a dataset, in the order of samples.parquet.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from learnability.errors import InputError
from learnability.significance.predictions import Images
from learnability.storage.contracts import (
    CELL,
    file_digest,
    read_fidelity,
    read_json,
    read_predictions,
    split_rows,
    write_json,
    write_parquet,
)
from learnability.storage.whole_files import written_whole
from learnability.study.paths import run_file
from learnability.training.metrics import area_under_curve, balanced_accuracy, matthews_correlation

# Steps of ln(p / p of the last class): of test rows the first that keeps the run's AUC, of validation rows, which only
# decide a temperature, one that does not show in it.
STEPS, OF_VALIDATION = (0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001, 0.00001), 0.02
LARGEST = 32000  # steps; an int16 holds some more
AUC_MAY_DIFFER = 0.001  # balanced accuracy and MCC may not, because the largest probability stays so
RUN = ["space", "autoencoder", "recipe", "fold", "split"]
MEASURES = ["psnr", "ssim"]


def as_steps(probability: np.ndarray, step: float) -> np.ndarray:
    """ln(p / p of the last class) of all classes but the last (n, K - 1), int16; the most probable class stays so."""
    logit = np.log(np.maximum(probability, np.finfo(float).tiny))
    steps = np.rint((logit - logit[:, -1:]) / step).clip(-LARGEST, LARGEST).astype(int)
    best = probability.argmax(axis=1)
    while len(wrong := np.flatnonzero(steps.argmax(axis=1) != best)):
        steps[wrong, best[wrong]] += 1
        steps -= steps[:, -1:]
    return steps[:, :-1].astype(np.int16)


def as_probabilities(steps: np.ndarray, step: float) -> np.ndarray:
    """The probabilities (n, K) of steps (n, K - 1)."""
    logit = np.column_stack([steps, np.zeros(len(steps))]) * step
    odds = np.exp(logit - logit.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


# ---- Runs ----


def write_runs(runs: Iterable[tuple[dict, list[str]]], images: Images, card: dict, results: Path, path: Path) -> None:
    """The rows of runs, given as metrics and the splits that are kept, of one dataset."""
    parts, classes = [], card["classes"][:-1]
    for run, splits in runs:
        predictions = results / run_file(run, "predictions.parquet")
        frame = read_predictions(predictions, card["classes"])
        for split in splits:
            rows = in_order(frame[frame["split"] == split], predictions, run["fold"], split, images)
            step = OF_VALIDATION if split == "validation" else step_of(rows, run, card, predictions)
            steps = pd.DataFrame(as_steps(rows[card["classes"]].to_numpy(), step), columns=classes)
            parts.append(steps.assign(**{key: run[key] for key in RUN[:-1]}, split=split, step=step))
    if parts:
        write_small(pd.concat(parts, ignore_index=True)[[*RUN, "step", *classes]], classes, path)


def in_order(frame: pd.DataFrame, path: Path, fold: int, split: str, images: Images) -> pd.DataFrame:
    """The rows of one split in the order of the dataset; InputError where they are not those of the folds."""
    row = images.sample_id.get_indexer(frame["sample_id"])
    order, expected = np.argsort(row), split_rows(images.fold, fold, images.n_splits)[split]
    if not np.array_equal(row[order], expected):
        raise InputError(
            f"{path}: its {split} rows are not the {len(expected)} of fold {fold}; pack results and folds of one study"
        )
    return frame.iloc[order]


def step_of(test: pd.DataFrame, run: dict, card: dict, path: Path) -> float:
    """The coarsest step that keeps the scores of the run."""
    for step in STEPS:
        rounded = as_probabilities(as_steps(test[card["classes"]].to_numpy(), step), step)
        if not unlike(test["label"].to_numpy(), rounded, run, card):
            return step
    raise InputError(f"{path}: its scores are not those of {path.with_name('metrics.json')}; train the run again")


def kept_rows(path: Path) -> list[tuple]:
    """The runs of one dataset that have rows in a part, and which: the cell but for the dataset, then the split."""
    return list(pd.read_parquet(path)[[*CELL[1:], "split"]].drop_duplicates().itertuples(index=False, name=None))


def restore_runs(runs: Iterable[dict], paths: Iterable[Path], images: Images, card: dict, results: Path) -> None:
    """Write predictions and metrics of runs of one dataset, and compare one with the other.

    The rows of a run may lie in several of `paths`, a split in each.
    """
    found = {run: (rows, path) for path in paths for run, rows in pd.read_parquet(path).groupby(RUN, observed=True)}
    for run in runs:
        own, parts = tuple(run[key] for key in RUN[:-1]), []
        for split in ("test", "validation"):
            rows = split_rows(images.fold, run["fold"], images.n_splits)[split]
            if (*own, split) in found:
                steps, _ = found[*own, split]
                probability = as_probabilities(steps[card["classes"][:-1]].to_numpy(), steps["step"].iloc[0])
                who = {"sample_id": images.sample_id[rows], "label": images.label[rows], "split": split}
                parts.append(pd.DataFrame(who | dict(zip(card["classes"], probability.T, strict=True))))
        frame = pd.concat(parts, ignore_index=True)
        test = frame[frame["split"] == "test"]
        path = found[*own, "test"][1]
        if wrong := unlike(test["label"].to_numpy(), test[card["classes"]].to_numpy(), run, card):
            raise InputError(f"{path}: {wrong} of {run_file(run, '')} is not what its metrics say; take the part anew")
        predictions = results / run_file(run, "predictions.parquet")
        write_parquet(frame, predictions)
        write_json(run | {"digest_predictions": file_digest(predictions)}, predictions.with_name("metrics.json"))


def unlike(label: np.ndarray, probability: np.ndarray, run: dict, card: dict) -> str:
    """The first score of test rows that is not the run's, in words; nothing where all are."""
    best, positive = probability.argmax(axis=1), card["classes"].index(card["positive"]) if card["positive"] else None
    auc, _ = area_under_curve(label, probability, positive)
    found = {"balanced_accuracy": balanced_accuracy(label, best), "mcc": matthews_correlation(label, best), "auc": auc}
    may = dict.fromkeys(found, 1e-12) | {"auc": AUC_MAY_DIFFER}
    wrong = (f"{name} {score:.6f}" for name, score in found.items() if abs(score - run[name]) > may[name])
    return next(wrong, "")


# ---- Encodings ----


def write_fidelity(cards: Iterable[Path], images: Images, path: Path) -> None:
    """PSNR and SSIM of every image by the encodings whose cards are given, of one dataset; NaN of images not in one."""
    found = {}
    for card in cards:
        if (file := card.with_name("fidelity.parquet")).is_file():
            frame = read_fidelity(file).set_index("sample_id").reindex(images.sample_id)
            found |= {f"{card.parent.name} {name}": frame[name].to_numpy(np.float32) for name in MEASURES}
    if found:
        write_small(pd.DataFrame(found), [*found], path)


def restore_fidelity(path: Path, images: Images, encodings: Path) -> None:
    """Write the fidelity of every image, and its digest into the card beside it."""
    if not path.is_file():
        return
    table = pd.read_parquet(path).astype(float)
    for name in dict.fromkeys(column.rpartition(" ")[0] for column in table):
        frame = pd.DataFrame({key: table[f"{name} {key}"].to_numpy() for key in MEASURES})
        frame.insert(0, "sample_id", images.sample_id)
        file = encodings / name / "fidelity.parquet"
        write_parquet(frame.dropna().reset_index(drop=True), file)
        card = file.with_name("autoencoder.json")
        write_json(read_json(card) | {"digest_fidelity": file_digest(file)}, card)


def write_small(frame: pd.DataFrame, numbers: list[str], path: Path) -> None:
    """A Parquet file whose `numbers` are stored byte plane by byte plane, which compresses them best."""
    with written_whole(path) as temporary:
        frame.to_parquet(
            temporary, index=False, compression="zstd", compression_level=19,
            use_dictionary=[name for name in frame if name not in numbers],
            column_encoding=dict.fromkeys(numbers, "BYTE_STREAM_SPLIT"),
        )  # fmt: skip
