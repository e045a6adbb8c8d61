"""A table of images: a CSV with an image, a label (one column, or one-hot columns) and a group per row."""

import os
import string
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from ..contracts import InputError, check_samples, file_digest
from . import Source


def open_source(entry: dict) -> Source:
    """Open the table that `entry` describes; keys are documented in the config schema."""
    root = resolve_root(entry["root"])
    rows = read_table(root / entry["table"])
    tables = [root / entry["table"]]
    if join := entry.get("join"):
        tables.append(root / join["table"])
        rows = join_table(rows, read_table(tables[1]), join["on"], tables)
    origin = str(tables[0])
    samples = pd.DataFrame(
        {
            "sample_id": column(rows, entry["image_column"], origin),
            "label_name": labels(rows, entry, origin),
            "group": groups(rows, entry, origin),
        }
    )
    check_samples(samples, origin)
    classes = entry.get("classes") or sorted(entry.get("label_columns") or samples["label_name"].unique())
    unknown = sorted(set(samples["label_name"]) - set(classes))
    if unknown:
        raise InputError(
            f"{origin}: labels {unknown} are not among the dataset's classes {classes}; add them to `classes`, "
            "or take their rows out"
        )
    paths = [str(root / fill(entry["image_path"], row, origin)) for row in rows.to_dict("records")]
    if subset := entry.get("subset"):
        chosen = stratified_subset(samples, subset["images"], subset.get("seed", 0))
        samples, paths = samples.iloc[chosen].reset_index(drop=True), [paths[i] for i in chosen]
    channels = entry.get("channels", 3)
    return Source(
        samples=samples,
        classes=classes,
        read=lambda i: read_image(paths[i], channels),
        channels=channels,
        provenance={"tables": {table.name: file_digest(table) for table in tables}},
    )


def resolve_root(root: str) -> Path:
    """Expand environment variables and ~; an unset variable or a missing folder is an error that says so."""
    unset = [name for name in string.Template(root).get_identifiers() if name not in os.environ]
    if unset:
        raise InputError(f"root {root}: set the environment variable {unset[0]} to the dataset's folder")
    folder = Path(os.path.expandvars(root)).expanduser()
    if not folder.is_dir():
        raise InputError(f"root {folder} is not a folder; point `root` at the downloaded dataset")
    return folder


def read_table(path: Path) -> pd.DataFrame:
    """Read a CSV with every value as text; blank cells are empty strings."""
    if not path.is_file():
        raise InputError(f"{path} does not exist; expected a CSV there: correct `table` or `root`")
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    except ValueError as error:  # empty, ragged, or not UTF-8
        raise InputError(f"{path}: {str(error).strip()}; expected a CSV in UTF-8 with a header") from None


def join_table(rows: pd.DataFrame, other: pd.DataFrame, on: str, paths: list[Path]) -> pd.DataFrame:
    """Add the columns of a second table by a shared key; every row must find exactly one partner."""
    first, path = paths
    column(rows, on, str(first))
    if column(other, on, str(path)).duplicated().any():
        raise InputError(f"{path}: values of {on!r} repeat; the table to join needs one row per {on!r}")
    missing = ~rows[on].isin(other[on])
    if missing.any():
        raise InputError(
            f"{path}: {missing.sum()} rows of {first.name} have no partner here, the first is "
            f"{rows.loc[missing, on].iloc[0]!r}; add them here, or take them out there"
        )
    new = [name for name in other.columns if name == on or name not in rows.columns]
    return rows.merge(other[new], on=on, how="left", validate="many_to_one")


def column(rows: pd.DataFrame, name: str, origin: str) -> pd.Series:
    if name not in rows.columns:
        raise InputError(f"{origin}: no column {name!r}; name one of its header in the config: {list(rows.columns)}")
    return rows[name]


def labels(rows: pd.DataFrame, entry: dict, origin: str) -> pd.Series:
    """Return the class name of each row, from one column or from one-hot columns with exactly one 1."""
    if "label_column" in entry:
        return column(rows, entry["label_column"], origin)
    names = entry["label_columns"]
    one_hot = pd.DataFrame({name: pd.to_numeric(column(rows, name, origin), errors="coerce") for name in names})
    values = one_hot.to_numpy()
    wrong = np.flatnonzero(~np.isin(values, (0, 1)).all(axis=1) | (np.nansum(values, axis=1) != 1))
    if len(wrong):
        found = [name for name, value in zip(names, values[wrong[0]], strict=True) if value != 0]
        raise InputError(
            f"{origin}: {len(wrong)} rows without exactly one positive label; the first is "
            f"{rows[entry['image_column']].iloc[wrong[0]]!r} with {found or 'none'}; correct them or take them out"
        )
    return pd.Series(np.array(names)[values.argmax(axis=1)], index=rows.index)


def groups(rows: pd.DataFrame, entry: dict, origin: str) -> pd.Series:
    """Return the group of each row; a row with a blank group, or a table without groups, is its own group."""
    own = "image:" + rows[entry["image_column"]]
    if "group_column" not in entry:
        return own
    group = column(rows, entry["group_column"], origin)
    return group.where(group != "", own)


def fill(pattern: str, row: dict, origin: str) -> str:
    """Fill a path pattern such as images/{image_id}.jpg with the values of a row."""
    try:
        return pattern.format_map(row)
    except KeyError as error:
        raise InputError(f"{origin}: image_path names column {error}; the header is {list(row)}") from None
    except (ValueError, AttributeError, LookupError, TypeError) as error:
        raise InputError(f"image_path {pattern!r}: {error}; write columns as {{name}} or {{name:.2}}") from None


def stratified_subset(samples: pd.DataFrame, images: int, seed: int) -> np.ndarray:
    """Choose about `images` rows: whole groups, drawn at random within each class in its share of the whole."""
    generator = np.random.default_rng(seed)
    per_group = samples.groupby("group", sort=True)["label_name"].agg(["first", "size"])
    chosen = []
    for _, members in per_group.groupby("first", sort=True):
        members = members.iloc[generator.permutation(len(members))]
        quota = max(1, round(images * members["size"].sum() / len(samples)))  # no class vanishes
        before = members["size"].cumsum() - members["size"]
        chosen.extend(members.index[before < quota])
    return np.flatnonzero(samples["group"].isin(chosen))


def read_image(path: str, channels: int) -> np.ndarray:
    """Decode an 8-bit image to uint8 (H, W, channels); colour is RGB."""
    with Image.open(path) as image:
        if image.mode.startswith(("I", "F")):
            raise OSError(f"{image.mode} pixels; expected 8 bits a channel")
        pixels = np.asarray(image.convert("RGB" if channels == 3 else "L"))
    return pixels.reshape(*pixels.shape[:2], channels)
