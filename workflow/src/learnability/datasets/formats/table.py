"""A table of images: a CSV with an image, a label (one column, or one-hot columns) and a group per row.

Other formats with a CSV file use the functions that read it.
"""

import re
import string
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from ...errors import InputError, quoted
from ...storage.contracts import file_digest
from ...study.words import counted
from ..names import add_counts, is_missing, own_groups, strip_columns, unify
from ..source import Source, check_samples
from .csv_rows import read_columns
from .files import read_image, resolve_root

OPENS_AT_ONCE = True
SHOWN = 8  # values or columns in a message


@dataclass
class Table:
    """A CSV with only its used columns read; every value is text without blanks around it."""

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
    table, tables, left_out = read_rows(entry, root, fields)
    ids = table.column(entry["image_column"])
    refuse_repeated_ids(table, ids, entry)
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
    check_samples(samples, origin, entry.get("label_column", "label_name"))
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
        provenance={"tables": {each.name: file_digest(each) for each in tables}}
        | ({"left_out": left_out} if left_out else {}),
        grouped="group_column" in entry,
        grouped_by=entry.get("group_column", "no group_column given: every image its own group"),
        path=path,
        names=names,
    )


def read_rows(entry: dict, root: Path, fields: list[str]) -> tuple[Table, list[Path], dict[str, int]]:
    """The rows that an entry chooses, joined with its second table; the files; and what `where` left out."""
    where, join = dict(entry.get("where", {})), entry.get("join")
    used = {entry["image_column"], *entry.get("label_columns", []), *fields, *where}
    used |= {entry[key] for key in ("label_column", "group_column") if key in entry}
    tables = [root / entry["table"]]
    table, left_out = read_table(tables[0], used | ({join["on"]} if join else set())), {}
    if join:
        # Choose by the first table first: rows that are left out need no partner.
        left_out = choose(table, {name: where.pop(name) for name in [*where] if name in table.rows.columns})
        tables.append(root / join["table"])
        table = join_table(table, read_table(tables[1], used | {join["on"]}), join["on"])
    return table, tables, left_out | choose(table, where)


def choose(table: Table, where: dict[str, list]) -> dict[str, int]:
    """Keep the rows of a table that have, in each named column, one of the values given for it; count the others.

    A left-out row is counted once, by its value in the first column that leaves it out. Comparing ignores a value's
    encoding (names.py), but not its case.
    """
    if not where:
        return {}
    left_out, kept = {}, pd.Series(True, index=table.rows.index)
    for name, named in where.items():
        values = [str(value) for value in named]
        column, _ = unify(table.column(name), values)
        if absent := sorted(set(values) - set(column)):
            there = column.value_counts()
            shown = ", ".join(f"{value!r} ({count})" for value, count in there[:SHOWN].items())
            others = f" and {counted(len(there) - SHOWN, 'other value')}" if len(there) > SHOWN else ""
            raise InputError(f"{table.path}: where.{name}: no row has {absent}; there are {shown}{others}: correct it")
        counts = column[kept & ~column.isin(values)].value_counts()
        left_out |= {f"where: {name} is {value!r}": int(count) for value, count in counts[:SHOWN].items()}
        if len(counts) > SHOWN:
            others = counted(len(counts) - SHOWN, "other value")
            left_out[f"where: {name} is one of {others}"] = int(counts[SHOWN:].sum())
        kept &= column.isin(values)
    if not kept.any():
        raise InputError(f"{table.path}: where: no row meets all of {where} at once; correct or take out one of them")
    table.rows = table.rows[kept].reset_index(drop=True)
    return left_out


def refuse_repeated_ids(table: Table, ids: pd.Series, entry: dict) -> None:
    """Refuse sample ids of a table that repeat, and say in which columns of the first table their rows differ."""
    repeated = set(ids[ids.duplicated()])
    if not repeated:
        return
    try:
        whole = read_table(table.path, {name for name in table.header if table.header.count(name) == 1})
    except InputError:  # an unused column is not UTF-8
        whole = table
    if entry["image_column"] not in whole.rows.columns:  # the column is from the joined table: check_samples refuses
        return
    if whole is not table:
        choose(whole, {name: each for name, each in entry.get("where", {}).items() if name in whole.rows.columns})
    rows = whole.rows[whole.rows[entry["image_column"]].isin(repeated)]
    values = rows.groupby(entry["image_column"]).nunique()
    differing = [f"{name!r} (of {counted(number, 'id')})" for name in values if (number := (values[name] > 1).sum())]
    more = f" and {counted(len(differing) - SHOWN, 'more column')}" if len(differing) > SHOWN else ""
    found = f"their rows differ in {', '.join(differing[:SHOWN])}{more}" if differing else "their rows are equal"
    advice = ", choose by `where`, or name a column that tells them apart as `image_column`" if differing else ""
    raise InputError(
        f"{table.path}: {counted(ids.duplicated().sum(), 'duplicate sample id')}, the first is "
        f"{ids[ids.duplicated()].iloc[0]!r}; {found}, and every image must appear once: remove the repeated "
        f"rows{advice}"
    )


def read_table(path: Path, used: Iterable[str]) -> Table:
    """Read only the used columns of a CSV that exist, because the others cost memory."""
    if not path.is_file():
        raise InputError(f"{path} does not exist; expected a CSV there: correct `table` or `root`")
    try:
        return Table(*read_columns(path, set(used)), path)
    except ValueError as error:  # the file is empty, ragged or not UTF-8
        raise InputError(f"{path}: {error}; expected a CSV in UTF-8 with a header") from None


def join_table(table: Table, other: Table, on: str) -> Table:
    """Add the columns of a second table by a shared key; every row must find exactly one partner."""
    key = table.column(on)
    if other.column(on).duplicated().any():
        raise InputError(f"{other.path}: values of {on!r} repeat; the table to join needs one row per {on!r}")
    if is_missing(key).any():
        raise InputError(
            f"{table.path}: {counted(is_missing(key).sum(), 'row')} without {on!r}, which names the partner in "
            f"{other.path.name}; fill it in, or take these rows out"
        )
    missing = ~key.isin(other.column(on))
    if missing.any():
        raise InputError(
            f"{other.path}: {counted(missing.sum(), 'row')} of {table.path.name} without a partner here, the first is "
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
            f"{table.path}: {counted(len(wrong), 'row')} without exactly one positive label; the first is "
            f"{ids.iloc[wrong[0]]!r} with {found or 'none'}; correct them or take them out"
        )
    return pd.Series(pd.array(names, dtype="str").take(values.argmax(axis=1)), index=ids.index)


def check_known(samples: pd.DataFrame, classes: list[str], origin: str) -> None:
    """Refuse a label that is no class of the dataset."""
    unknown = sorted(set(samples["label_name"].unique()) - set(classes))
    if unknown:
        raise InputError(
            f"{origin}: labels {quoted(unknown)} are not among the dataset's classes, {quoted(classes)}; add them to "
            "`classes`, or take their rows out"
        )


def check_class_columns(table: Table, classes: Iterable[str], others: Iterable[str]) -> None:
    """Refuse a label file whose one-hot columns are not exactly the classes; `others` are not labels."""
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
