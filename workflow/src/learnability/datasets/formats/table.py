"""A table of images: a CSV with an image, a label (one column, or one-hot columns) and a group per row.

The reading of CSV files is shared by the other formats that have one.
"""

import re
import string
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from ...errors import InputError
from ...storage.contracts import check_samples, file_digest
from ..names import add_counts, is_missing, own_groups, strip_columns, unify
from ..source import Source
from .csv_rows import read_columns
from .files import read_image, resolve_root

OPENS_AT_ONCE = True


@dataclass
class Table:
    """A CSV of which only the columns that are used were read, every value as text without blanks around it."""

    rows: pd.DataFrame
    header: list[str]  # all of it, for messages
    path: Path
    stripped: dict[str, int] = field(default_factory=dict)  # values of a column that had blanks around them

    def __post_init__(self):
        self.rows, stripped = strip_columns(self.rows)
        self.stripped = add_counts(self.stripped, stripped)

    def column(self, name: str) -> pd.Series:
        if name not in self.rows.columns:
            raise InputError(f"{self.path}: no column {name!r}; name one of its header in the config: {self.header}")
        return self.rows[name]


def open_source(entry: dict, threads: int = 1) -> Source:
    """Open the table that `entry` describes; keys are documented in the config schema."""
    root, pattern = resolve_root(entry["root"]), entry["image_path"]
    fields = pattern_fields(pattern)
    used = {entry["image_column"], *entry.get("label_columns", []), *fields}
    used |= {entry[key] for key in ("label_column", "group_column") if key in entry}
    tables = [root / entry["table"]]
    join = entry.get("join")
    table = read_table(tables[0], used | ({join["on"]} if join else set()))
    if join:
        tables.append(root / join["table"])
        table = join_table(table, read_table(tables[1], used | {join["on"]}), join["on"])
    ids = table.column(entry["image_column"])
    origin = str(tables[0])
    names = {"stripped": table.stripped}
    if "label_columns" in entry:
        label = one_hot(table, entry["label_columns"], ids)
    else:
        label, unified = unify(table.column(entry["label_column"]), entry.get("classes", []))
        names["unified"] = {"label_name": unified} if unified else {}
    group = "image:" + ids
    if "group_column" in entry:
        missing = entry.get("missing_groups", [])
        group, names["missing_groups"] = own_groups(table.column(entry["group_column"]), ids, missing, origin)
    samples = pd.DataFrame({"sample_id": ids, "label_name": label, "group": group})
    check_samples(samples, origin)
    classes = entry.get("classes") or sorted(entry.get("label_columns") or samples["label_name"].unique())
    check_known(samples, classes, origin)
    values = {name: table.rows[name] for name in fields if name in table.rows.columns}
    fill(pattern, {name: column.iloc[0] for name, column in values.items()}, table)
    channels = entry.get("channels", 3)

    def path(i: int) -> Path:
        return root / fill(pattern, {name: column.iloc[i] for name, column in values.items()}, table)

    return Source(
        samples=samples,
        classes=classes,
        read=lambda i: read_image(path(i), channels),
        channels=channels,
        provenance={"tables": {each.name: file_digest(each) for each in tables}},
        grouped="group_column" in entry,
        grouped_by=entry.get("group_column", "no group_column given: every image its own group"),
        path=path,
        names=names,
    )


def read_table(path: Path, used: Iterable[str]) -> Table:
    """Read the columns of a CSV that are used and there; the others cost memory."""
    if not path.is_file():
        raise InputError(f"{path} does not exist; expected a CSV there: correct `table` or `root`")
    try:
        return Table(*read_columns(path, set(used)), path)
    except ValueError as error:  # empty, ragged, or not UTF-8
        raise InputError(f"{path}: {error}; expected a CSV in UTF-8 with a header") from None


def join_table(table: Table, other: Table, on: str) -> Table:
    """Add the columns of a second table by a shared key; every row must find exactly one partner."""
    key = table.column(on)
    if other.column(on).duplicated().any():
        raise InputError(f"{other.path}: values of {on!r} repeat; the table to join needs one row per {on!r}")
    if is_missing(key).any():
        raise InputError(
            f"{table.path}: {is_missing(key).sum()} rows without {on!r}, which would be matched with one another; "
            "fill them in, or take them out"
        )
    missing = ~key.isin(other.column(on))
    if missing.any():
        raise InputError(
            f"{other.path}: {missing.sum()} rows of {table.path.name} have no partner here, the first is "
            f"{key[missing].iloc[0]!r}; add them here, or take them out there"
        )
    new = [name for name in other.rows.columns if name == on or name not in table.rows.columns]
    rows = table.rows.merge(other.rows[new], on=on, how="left", validate="many_to_one")
    header = table.header + [name for name in other.header if name not in table.header]
    return Table(rows, header, table.path, add_counts(table.stripped, other.stripped))


def one_hot(table: Table, names: list[str], ids: pd.Series) -> pd.Series:
    """Return the class name of each row, from one-hot columns (integers or floats) with exactly one 1."""
    values = np.stack([pd.to_numeric(table.column(name), errors="coerce") for name in names], axis=1, dtype="float32")
    wrong = np.flatnonzero(~np.isin(values, (0, 1)).all(axis=1) | (np.nansum(values, axis=1) != 1))
    if len(wrong):
        found = [name for name, value in zip(names, values[wrong[0]], strict=True) if value != 0]
        raise InputError(
            f"{table.path}: {len(wrong)} rows without exactly one positive label; the first is "
            f"{ids.iloc[wrong[0]]!r} with {found or 'none'}; correct them or take them out"
        )
    return pd.Series(pd.array(names, dtype="str").take(values.argmax(axis=1)), index=ids.index)


def check_known(samples: pd.DataFrame, classes: list[str], origin: str) -> None:
    """Refuse a label that is no class of the dataset."""
    unknown = sorted(set(samples["label_name"].unique()) - set(classes))
    if unknown:
        raise InputError(
            f"{origin}: labels {unknown} are not among the dataset's classes {classes}; add them to `classes`, "
            "or take their rows out"
        )


def check_class_columns(table: Table, classes: Iterable[str], others: Iterable[str]) -> None:
    """Refuse a label file whose one-hot columns are not exactly the classes; `others` are no labels."""
    found = set(table.header) - {*others, ""}  # a comma at the end of each line makes a column without a name
    missing, unknown = sorted(set(classes) - found), sorted(found - set(classes))
    if missing or unknown:
        raise InputError(
            f"{table.path}: the class list differs from the published one: missing {missing or 'none'}, unknown "
            f"{unknown or 'none'}; use the official file, or describe yours with `format: table`"
        )


def pattern_fields(pattern: str) -> list[str]:
    """Columns that a path pattern such as images/{image_id}.jpg names."""
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(pattern) if name]
    except ValueError as error:
        raise InputError(wrong_pattern(pattern, error)) from None
    return [re.split(r"[.\[]", name)[0] for name in names]


def fill(pattern: str, row: dict, table: Table) -> str:
    """Fill a path pattern with the values of a row."""
    try:
        return pattern.format_map(row)
    except KeyError as error:
        raise InputError(f"{table.path}: image_path names column {error}; the header is {table.header}") from None
    except (ValueError, AttributeError, LookupError, TypeError) as error:
        raise InputError(wrong_pattern(pattern, error)) from None


def wrong_pattern(pattern: str, error: Exception) -> str:
    return f"image_path {pattern!r}: {error}; write columns as {{name}} or {{name:.2}}"
