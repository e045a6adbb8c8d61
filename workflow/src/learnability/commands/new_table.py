"""Images of a new study in a table: the entry for the CSV, as far as the CSV shows it."""

import os
import re
import string
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from ..datasets.formats.csv_rows import read_columns
from ..datasets.formats.folder_tree import SUFFIXES
from ..datasets.names import is_missing, strip_columns
from ..errors import InputError
from ..study.words import counted
from .new_images import Found, about

LABELS = ("label", "labels", "class", "classname", "diagnosis", "dx", "target", "category", "finding", "findings",
          "findinglabels", "pathology")  # fmt: skip
GROUPS = ("patientid", "patient", "subjectid", "subject", "personid", "lesionid", "caseid", "case", "pid", "mrn")
MOST_CLASSES = 50
LOOKED_AT = 200  # rows of a table whose images it looks for


def describe_table(path: Path, label: str | None, group: str | None) -> Found:
    """The entry of a CSV whose images lie below its folder; `label` and `group` are columns, or None."""
    try:
        header = read_columns(path, set())[1]
        known = {group, label, *named(header, (*LABELS, *GROUPS))}
        rows, _ = read_columns(path, {name for name in header if header.count(name) == 1 or name in known})
    except ValueError as error:
        raise InputError(f"{path}: {error}; expected a CSV in UTF-8 with a header and commas") from None
    if len(header) == 1 and (other := re.search(r"[;\t|]", header[0])):
        raise InputError(
            f"{path}: {other[0]!r} and no comma between the columns; expected commas: save it anew with these"
        )
    if rows.empty:
        raise InputError(f"{path}: no rows; expected one for each image")
    rows, _ = strip_columns(rows)
    image, pattern, comment = find_images(path, rows)
    found = Found({"format": "table", "root": str(path.parent.resolve()), "table": path.name})
    found.entry |= {"image_column": image, "image_path": pattern}
    found.comments |= {"image_path": comment} if comment else {}
    group = chosen(path, rows, group, "--group") or next(named(rows.columns, GROUPS), None)
    others = rows.drop(columns=[name for name in (image, group) if name])
    if others.empty:
        raise InputError(f"{path}: no other column has a name of its own; expected one that holds the label")
    found.entry |= find_labels(path, others, chosen(path, rows, label, "--label"))
    labels = rows[found.entry["label_column"]] if "label_column" in found.entry else rows[[]]
    if several := [each for each in labels if re.search(r"[|;]", each)]:
        found.comments["label_column"] = (
            f"{several[0]!r} reads like several labels; each such set is a class of its own"
        )
    if group:
        found.entry["group_column"] = group
        if missing := sorted(rows[group][is_missing(rows[group])].unique()):
            found.entry["missing_groups"] = missing
            found.comments["missing_groups"] = "seem to stand for no patient: each such image is a group of its own"
    return found


def chosen(path: Path, rows: pd.DataFrame, column: str | None, option: str) -> str | None:
    if column is not None and column not in rows.columns:
        raise InputError(f"{option} {column!r}: {path} has no such column; there are {list(rows.columns)}")
    return column


def named(columns: Iterable[str], known: Iterable[str]) -> Iterable[str]:
    """The columns with known names, in the order of these; ignores case and separators."""
    simple = {re.sub(r"[^a-z0-9]", "", name.casefold()): name for name in reversed(list(columns))}
    return (simple[name] for name in known if name in simple)


def find_labels(path: Path, rows: pd.DataFrame, label: str | None) -> dict:
    """`label_column`, or `label_columns` if each row has exactly one 1 in columns of 0 and 1."""
    number = rows.nunique()
    found = [label] if label else [name for name in named(rows.columns, LABELS) if 1 < number[name] <= MOST_CLASSES][:1]
    if not found:
        coded = rows[[name for name in rows if set(rows[name].unique()) <= {"0", "1", "0.0", "1.0"}]].astype(float)
        if coded.shape[1] > 1 and (coded.sum(axis=1) == 1).all():
            return {"label_columns": list(coded.columns)}
        found = [name for name in rows if 1 < number[name] <= MOST_CLASSES]
    if len(found) != 1:
        there = ", ".join(f"{name!r} ({counted(count, 'value')})" for name, count in number.items())
        raise InputError(f"{path}: which column is the label is not clear; say it by --label: there are {there}")
    return {"label_column": found[0]}


def find_images(path: Path, rows: pd.DataFrame) -> tuple[str, str, str]:
    """The column that names the images (preferably unique), the pattern of their paths, and a comment or ""."""
    index = index_images(path.parent)
    images = [name for name in rows.columns if rows[name].iloc[0] in index or is_absolute(rows[name].iloc[0])]
    if named := [name for name in images if name in index or is_absolute(name)]:
        raise InputError(f"{path}: the first line names an image, {named[0]!r}; expected a header: put one above it")
    some = rows.iloc[:: max(1, len(rows) // LOOKED_AT)]
    usable = [name for name in rows.columns if name and not re.search(r"[.\[\]{}!:]", name)]
    some, best = some[usable], (0, False, "", "")
    for column in usable:
        first = next((row for _, row in some.iterrows() if row[column] in index or is_absolute(row[column])), None)
        if first is not None:
            places = index.get(first[column])
            pattern = patterns_of(places, column, first)[0] if places else f"{{{column}}}"
            there = sum((path.parent / pattern.format_map(row)).is_file() for _, row in some.iterrows())
            best = max(best, (there, rows[column].is_unique, column, pattern))
    if best[0] < len(some) / 2:
        raise InputError(
            f"{path}: no column names images that lie below {path.parent}; put the table beside them, or write the "
            "entry by hand (docs/datasets.md, a table of your own)"
        )
    return *best[2:], in_several_places(index, best[2], some)


def is_absolute(place: str) -> bool:
    """Whether this is the whole path of an image that exists."""
    return place.startswith("/") and place.lower().endswith(SUFFIXES) and os.path.isfile(place)


def in_several_places(index: dict[str, list[str]], column: str, some: pd.DataFrame) -> str:
    """A comment about the first image that may be one of several files; else ""."""
    for _, row in some.iterrows():
        patterns = patterns_of(index.get(row[column], []), column, row)
        if len(patterns) > 1:
            places = " and ".join(pattern.format_map(row) for pattern in patterns[:2])
            return f"a guess: {row[column]} is in {len(patterns)} places, such as {places}; see which is meant"
    return ""


def index_images(root: Path) -> dict[str, list[str]]:
    """Index the image files below `root` by path, name, and name without suffix; follows links.

    Files in a folder of masks or the like are found only by their path.
    """
    index, seen = {}, set()
    for folder, folders, names in os.walk(root, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if (real := os.path.realpath(folder)) in seen:
            folders.clear()
            continue
        seen.add(real)
        below = os.path.relpath(folder, root).replace(os.sep, "/")
        bare = not about(below.split("/"))
        for name in sorted(names):
            if name.lower().endswith(SUFFIXES):
                place = name if below == "." else f"{below}/{name}"
                for key in {place, *((name, name.rpartition(".")[0]) if bare else ())}:
                    index.setdefault(key, []).append(place)
    return index


def patterns_of(places: list[str], column: str, row: pd.Series) -> list[str]:
    """Patterns for an image's possible paths, without repeats: those that take the most parts from the row."""
    others = row.drop(column)
    patterns = dict.fromkeys(pattern_of(place, row[column], column, others) for place in places)
    columns = [sum(name is not None for _, name, *_ in string.Formatter().parse(each)) for each in patterns]
    return [pattern for pattern, number in zip(patterns, columns, strict=True) if number == max(columns)]


def pattern_of(place: str, value: str, column: str, row: pd.Series) -> str:
    """The path of an image with its name, and folders named like a value of its row, replaced by columns."""
    before, _, after = place.rpartition(value)
    columns = {other: f"{{{name}}}" for name, other in row.items() if other}
    return "/".join(columns.get(part, plain(part)) for part in before.split("/")) + f"{{{column}}}" + plain(after)


def plain(text: str) -> str:
    """Escape text so that no part of it is a column in a pattern."""
    return text.replace("{", "{{").replace("}", "}}")
