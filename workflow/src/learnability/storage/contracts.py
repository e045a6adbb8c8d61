"""How each file that passes between the steps is written, read and validated. A file states its own identity."""

import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import InputError
from .arrays import packed_digest
from .whole_files import written_whole

SAMPLES = ["sample_id", "label", "label_name", "group"]
FOLDS = ["sample_id", "fold"]
FIDELITY = ["sample_id", "psnr", "ssim"]
PREDICTIONS = ["sample_id", "label", "split"]  # followed by one float64 column per class
CELL = ["dataset", "autoencoder", "space", "recipe", "fold"]
SCORES = ["balanced_accuracy", "auc", "mcc"]
CURVE = ["sigma", *SCORES, "n", *CELL]
CARD_DIGEST = "card_digest"  # the last key of every JSON file: SHA-256 of all others
DIGESTS = {  # files whose digest is in a card beside them: the card, and the key
    "images.npy": ("dataset.json", "digest"),
    "images_small.npy": ("dataset.json", "digest_small"),
    "samples.parquet": ("dataset.json", "digest_samples"),
    "latents.npy": ("autoencoder.json", "digest_latents"),
    "channel_sums.npy": ("autoencoder.json", "digest_channel_sums"),
    "reconstructions.npy": ("autoencoder.json", "digest_reconstructions"),
    "fidelity.parquet": ("autoencoder.json", "digest_fidelity"),
    "predictions.parquet": ("metrics.json", "digest_predictions"),
    "history.csv": ("metrics.json", "digest_history"),
    "model.safetensors": ("model.json", "digest_weights"),
    "teacher_logits.npy": ("teacher_logits.json", "digest"),
}
VERIFY = "run again; `learnability verify` names all that is damaged"
AGAIN = f"delete it and {VERIFY}"


def digest(content) -> str:
    """SHA-256 of a JSON-serialisable value; the order of dictionary keys does not matter."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def file_digest(path: str | Path) -> str:
    """SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_text(text: str, path: str | Path) -> None:
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(content: dict, path: str | Path) -> None:
    """Write a card with a digest of itself; refuses NaN and infinity, which JSON does not have."""
    content = json.loads(json.dumps(content, allow_nan=False))  # as it will be read back
    card = content | {CARD_DIGEST: digest(content)}
    write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", path)


def read_json(path: str | Path) -> dict:
    """The content of a card without its digest; InputError if it is damaged. JSON of others has no digest."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: damaged, no JSON ({error}); {AGAIN}") from error
    if not isinstance(content, dict) or not content:
        raise InputError(f"{path}: damaged, expected keys with values, found {content!r:.40}; {AGAIN}")
    last = [*content][-1]
    rest = {key: value for key, value in content.items() if key != last}
    is_named, is_right = last == CARD_DIGEST, content[last] == digest(rest)
    if is_named != is_right:  # the content is damaged, or the name of the digest
        raise InputError(f"{path}: damaged, its content is not what its {CARD_DIGEST} says; {AGAIN}")
    return rest if is_named else content


def refuse_damaged(path: str | Path, card: dict) -> None:
    """Refuse a file that is not what the card beside it says; one that the card does not name is not compared."""
    path = Path(path)
    name, key = DIGESTS[path.name]
    if key not in card:
        return
    if not path.is_file():
        raise InputError(f"{path} does not exist, and {name} beside it was made with it; delete that and {VERIFY}")
    if content_digest(path) != card[key]:
        raise InputError(f"{path}: damaged, not what {key} of {name} says; delete both and {VERIFY}")


def content_digest(path: Path) -> str:
    """The digest of a file as its card states it: over the rows of a packed array, over all bytes of other files."""
    try:
        return packed_digest(path) if path.suffix == ".npy" else file_digest(path)
    except InputError:  # it is no array any more
        return "none"


def write_parquet(frame: pd.DataFrame, path: str | Path) -> None:
    """Write a table, with a checksum of each of its pages."""
    with written_whole(path) as temporary:
        frame.to_parquet(temporary, index=False, write_page_checksum=True)


def write_csv(frame: pd.DataFrame, path: str | Path) -> None:
    """Write a table in full precision; an empty cell is an error, and n/a means that a value does not apply."""
    if frame.isna().any(axis=None):
        raise ValueError(f"{path}: NaN in column(s) {list(frame.columns[frame.isna().any()])}")
    with written_whole(path) as temporary:
        frame.to_csv(temporary, index=False)


def read_parquet(path: str | Path, rows: tuple[str, str, str] | None = None) -> pd.DataFrame:
    """Read a table and verify the checksums of its pages; InputError if it is damaged. `rows` is a filter."""
    try:
        return pd.read_parquet(path, page_checksum_verification=True, filters=rows and [rows])
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist; run again what makes it") from error
    except (OSError, ValueError, KeyError, TypeError, NotImplementedError) as error:
        raise InputError(f"{path}: damaged, cannot be read ({error}); {AGAIN}") from error


def read_csv(path: str | Path, **options) -> pd.DataFrame:
    """Read a table of write_csv; `options` are those of pandas.read_csv. InputError if it is damaged."""
    try:
        return pd.read_csv(path, **options)
    except ValueError as error:  # empty, not UTF-8, or rows of different lengths
        raise InputError(f"{path}: damaged, no table ({error}); {AGAIN}") from error


def _read(path: str | Path, columns: list[str]) -> pd.DataFrame:
    frame = read_parquet(path)
    if list(frame.columns) != columns:
        raise InputError(f"{path}: columns {list(frame.columns)}, expected {columns}; delete it and run again")
    return frame


def read_samples(path: str | Path) -> pd.DataFrame:
    """Row i describes image i: sample_id, label (index into the card's classes), label_name, group."""
    return _read(path, SAMPLES)


def read_folds(path: str | Path, samples: pd.DataFrame) -> np.ndarray:
    """Return the fold of every row of `samples`, -1 if a row has none. A group in two folds is an error."""
    folds = _read(path, FOLDS).set_index("sample_id")["fold"]
    unknown = folds.index.difference(samples["sample_id"])
    if len(unknown):
        raise InputError(f"{path}: {len(unknown)} samples are not in the dataset; delete it and run again")
    fold = folds.reindex(samples["sample_id"]).fillna(-1).astype(int).to_numpy()
    check_groups(samples["group"].to_numpy(), fold, str(path))
    return fold


def check_groups(group: np.ndarray, fold: np.ndarray, origin: str) -> None:
    """Refuse folds if a group (patient, lesion) has images in two of them, because that is leakage."""
    per_group = pd.Series(fold).groupby(group).nunique()
    leaking = per_group.index[per_group > 1]
    if len(leaking):
        raise InputError(
            f"{origin}: {len(leaking)} group(s) have images in more than one fold; every image of a patient "
            "or lesion must stay in one. Delete the file and let make_folds write it again"
        )


def split_rows(fold: np.ndarray, k: int, n_splits: int) -> dict[str, np.ndarray]:
    """Rows of each split of fold k: test = fold k, validation = the next one, train = the rest (docs/protocol.md)."""
    validation = (k + 1) % n_splits
    rest = (fold != k) & (fold != validation) & (fold >= 0)
    return {
        "train": np.flatnonzero(rest),
        "validation": np.flatnonzero(fold == validation),
        "test": np.flatnonzero(fold == k),
    }


def read_predictions(path: str | Path, classes: list[str]) -> pd.DataFrame:
    """sample_id, label, split, then one probability per class in the card's order; rows sum to one."""
    predictions = _read(path, PREDICTIONS + classes)
    total = predictions[classes].to_numpy().sum(axis=1)
    if not np.allclose(total, 1.0, rtol=0, atol=1e-9):
        raise InputError(f"{path}: probabilities do not sum to one; delete it and run again")
    return predictions


def read_test_predictions(path: str | Path) -> tuple[pd.Series, np.ndarray, np.ndarray]:
    """Sample ids of the test rows, their labels and their most probable classes, both as indices (n,)."""
    frame = read_parquet(path, ("split", "==", "test"))
    if list(frame.columns[: len(PREDICTIONS)]) != PREDICTIONS:
        raise InputError(
            f"{path}: columns {list(frame.columns)}, expected {PREDICTIONS} first; delete it and run again"
        )
    predicted = frame.iloc[:, len(PREDICTIONS) :].to_numpy().argmax(axis=1)
    return frame["sample_id"], frame["label"].to_numpy(), predicted


def read_fidelity(path: str | Path) -> pd.DataFrame:
    """sample_id, psnr (dB, inf for identical images), ssim; NaN is an error."""
    fidelity = _read(path, FIDELITY)
    if fidelity.isna().any(axis=None):
        raise InputError(f"{path}: NaN in fidelity; delete it and run again")
    return fidelity


def read_curve(path: str | Path) -> pd.DataFrame:
    """Scores of one run over the noise level `sigma`."""
    curve = read_parquet(path)
    if set(curve.columns) != {*CURVE}:
        raise InputError(f"{path}: columns {list(curve.columns)}, expected {CURVE}; delete it and run again")
    return curve


def read_run(path: str | Path) -> dict:
    """Read the metrics of one run; the predictions beside them must be those that they were computed from."""
    run = read_json(path)
    if missing := [key for key in (*CELL, *SCORES) if key not in run]:
        raise InputError(f"{path}: damaged, {missing[0]} is not in it; {AGAIN}")
    refuse_damaged(Path(path).with_name("predictions.parquet"), run)
    return run


def read_metrics(paths: list[str]) -> pd.DataFrame:
    """Read metrics files into a frame with a row per run; a repeated run or a score that is no number is an error."""
    frame = pd.DataFrame([read_run(path) for path in paths])
    repeated = frame.duplicated(CELL)
    if repeated.any():
        raise InputError(f"two metrics files describe the same run: {dict(frame.loc[repeated, CELL].iloc[0])}")
    for path, row in zip(paths, frame[SCORES].to_numpy(), strict=True):
        if not all(math.isfinite(score) for score in row):
            raise InputError(f"{path}: a score is not a number; delete it and run again")
    return frame


def read_encodings(fidelity: list[str], cards: list[str]) -> pd.DataFrame:
    """Fidelity of every image of every encoding: dataset, autoencoder, role, then sample_id, psnr, ssim."""
    frames = []
    for path, card in zip(fidelity, map(read_json, cards), strict=True):
        refuse_damaged(path, card)
        identity = {key: card[key] for key in ("dataset", "autoencoder", "role")}
        frames.append(read_fidelity(path).assign(**identity))
    columns = ["dataset", "autoencoder", "role", *FIDELITY]
    if not frames:
        return pd.DataFrame(columns=columns).astype({"psnr": float, "ssim": float})
    return pd.concat(frames, ignore_index=True)[columns]
