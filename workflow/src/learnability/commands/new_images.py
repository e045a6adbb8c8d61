"""The images of a new study: the entry that describes a folder of class folders, or a table, as far as these say."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from ..datasets.formats.csv_rows import read_columns
from ..datasets.formats.folder_tree import SHOWN, SPLITS, SUFFIXES, Tree
from ..datasets.formats.folders import ABOUT, find_masks
from ..datasets.names import is_missing, strip_columns
from ..errors import InputError

LABELS = ("label", "labels", "class", "classname", "diagnosis", "dx", "target", "category", "finding", "findings",
          "findinglabels", "pathology")  # fmt: skip
GROUPS = ("patientid", "patient", "subjectid", "subject", "personid", "lesionid", "caseid", "case", "pid", "mrn")
# What names of files call a patient, with a number behind it.
IN_NAMES = r"(?i:patient|person|subject|subj|case|lesion|pat|sub)[ _-]?[0-9]+"
IN_FOLDERS = "([^/]+)/[^/]+$"
# Folders of parts of a data set, beside SPLITS, which need no key.
PARTS = (
    r"(?i)(train(ing)?|val(id(ation)?)?|test(ing)?|dev|part|split|fold|batch|site|cent(er|re)|hospital)"
    r"([ _-]?[0-9]+|[ _-][a-z])?"
)
MOST_CLASSES = 50
LOOKED_AT = 200  # rows of a table whose images are looked for


@dataclass
class Found:
    """An entry of `datasets` as far as it is known, and by key what its reader is told beside it."""

    entry: dict
    comments: dict[str, str] = field(default_factory=dict)


def describe_folder(folder: Path, group: str | None) -> Found:
    """The entry of a folder of class folders; `group` is a regular expression for the patient, or None."""
    tree, tops = unwrap(folder)
    found = Found({"format": "folders", "root": str(tree.root.resolve())})
    classes = find_classes(tree, of_pictures(tops), found)
    images, exclude = without_masks({top: tree.images_of_class(top, subfolders=True) for top in of_pictures(classes)})
    if exclude := list(dict.fromkeys([*map(last, about([*tops, *classes])), *exclude])):
        found.entry["exclude"] = exclude
        found.comments["exclude"] = "these seem to be masks of images"
        if len({last(top) for top in images}) == 1:
            raise InputError(
                f"{tree.root}: beside {exclude}, which seem to be of masks, the only folder of a class is "
                f"{next(iter(images))!r}; expected a folder per class: put the images into such, or use a table"
            )
    below = [path[len(top) + 1 :] for top, paths in images.items() for path in paths]
    if any("/" in path for path in below):
        found.entry["subfolders"] = True
        found.comments["subfolders"] = "folders within the classes hold images"
    paths = [path for each in images.values() for path in each]
    if pattern := group or pattern_of_groups(paths, below):
        found.entry["group_pattern"] = pattern
        if not group:
            found.comments["group_pattern"] = "seems to find the patient: see whether it does"
    return found


def find_classes(tree: Tree, tops: list[str], found: Found) -> list[str]:
    """The class folders: `tops`, or the folders in them where `tops` are parts; `splits` is then put into the entry.

    InputError where all tops hold the same folders and do not read like parts: either may be the classes.
    """
    inner = {top: tree.look_into(top)[0] for top in tops}
    below = [path for paths in inner.values() for path in paths]
    if tops and all(top.casefold() in SPLITS for top in tops):
        return below
    names = [set(map(last, of_pictures(paths))) for paths in inner.values()]
    if len(tops) < 2 or len(names[0]) < 2 or any(each != names[0] for each in names):
        return tops
    if not all(re.fullmatch(PARTS, top) for top in tops):
        raise InputError(
            f"{tree.root}: {tops[:SHOWN]} each hold the same folders, {sorted(names[0])[:SHOWN]}; which of them are the "
            "classes? Write the entry by hand (docs/datasets.md, a folder per class): `subfolders: true` where the "
            "first are, `splits` with the first where the second are"
        )
    found.entry["splits"] = tops
    found.comments["splits"] = "each holds the same folders: taken for parts, not for classes"
    return below


def last(path: str) -> str:
    return path.rpartition("/")[2]


def about(folders: list[str]) -> list[str]:
    """Those of the folders whose names say that they hold masks or the like."""
    return [path for path in folders if re.fullmatch(ABOUT, last(path), re.IGNORECASE)]


def of_pictures(folders: list[str]) -> list[str]:
    """The other ones."""
    return [path for path in folders if path not in about([path])]


def unwrap(folder: Path) -> tuple[Tree, list[str]]:
    """The tree below folders that hold one folder of folders and nothing else but masks, and its folders."""
    while True:
        tree = Tree(folder, ["*"], [])
        tops, images = tree.look_into("")
        inner = of_pictures(tops)
        if len(inner) != 1 or images or not of_pictures(tree.look_into(inner[0])[0]):
            return tree, tops
        folder = folder / inner[0]


def without_masks(images: dict[str, list[str]]) -> tuple[dict[str, list[str]], list[str]]:
    """Images by class folder without what seems to be masks of others, and the patterns that leave these out."""
    exclude = []
    while (masks := find_masks(images))[0]:
        exclude.append(masks[1])
        left_out = set(masks[0])
        images = {top: [path for path in paths if path not in left_out] for top, paths in images.items()}
    return images, exclude


def pattern_of_groups(paths: list[str], below: list[str]) -> str | None:
    """A pattern that finds a patient in each path, the same in some of them; None where names show none.

    `below` are the paths within their classes: where all lie in a folder there, that is the patient's.
    """
    for pattern, texts in ((IN_NAMES, paths), (IN_FOLDERS, below)):
        found = [re.search(pattern, text) for text in texts]
        if not all(found) or (pattern == IN_FOLDERS and any(text.count("/") != 1 for text in texts)):
            continue
        if 1 < len({match[match.re.groups] for match in found}) < len(paths):
            return pattern
    return None


def describe_table(path: Path, label: str | None, group: str | None) -> Found:
    """The entry of a CSV whose images lie below its folder; `label` and `group` are columns, or None."""
    try:
        header = read_columns(path, set())[1]
        rows, header = read_columns(path, {name for name in header if header.count(name) == 1})
    except ValueError as error:
        raise InputError(f"{path}: {error}; expected a CSV in UTF-8 with a header") from None
    if rows.empty:
        raise InputError(f"{path}: no rows; expected one for each image")
    rows, _ = strip_columns(rows)
    image, pattern = find_images(path, rows)
    found = Found({"format": "table", "root": str(path.parent.resolve()), "table": path.name})
    found.entry |= {"image_column": image, "image_path": pattern}
    group = chosen(path, rows, group, "--group") or next(named(rows, GROUPS), None)
    others = rows.drop(columns=[name for name in (image, group) if name])
    found.entry |= find_labels(path, others, chosen(path, rows, label, "--label"))
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


def named(rows: pd.DataFrame, known: Iterable[str]) -> Iterable[str]:
    """The columns whose names are among those known, in the order of these; case and separators do not count."""
    simple = {re.sub(r"[^a-z0-9]", "", name.casefold()): name for name in reversed(rows.columns)}
    return (simple[name] for name in known if name in simple)


def find_labels(path: Path, rows: pd.DataFrame, label: str | None) -> dict:
    """`label_column`, or `label_columns` where each row has exactly one 1 in columns of 0 and 1."""
    number = rows.nunique()
    found = [label] if label else [name for name in named(rows, LABELS) if 1 < number[name] <= MOST_CLASSES][:1]
    if not found:
        coded = rows[[name for name in rows if set(rows[name].unique()) <= {"0", "1", "0.0", "1.0"}]].astype(float)
        if coded.shape[1] > 1 and (coded.sum(axis=1) == 1).all():
            return {"label_columns": list(coded.columns)}
        found = [name for name in rows if 1 < number[name] <= MOST_CLASSES]
    if len(found) != 1:
        there = ", ".join(f"{name!r} ({count} values)" for name, count in number.items())
        raise InputError(f"{path}: which column is the label is not clear; say it by --label: there are {there}")
    return {"label_column": found[0]}


def find_images(path: Path, rows: pd.DataFrame) -> tuple[str, str]:
    """The column that names the images, a unique one if it can be, and the pattern of their paths."""
    index = index_images(path.parent)
    some = rows.iloc[:: max(1, len(rows) // LOOKED_AT)]
    usable = [name for name in rows.columns if name and not re.search(r"[.\[\]{}!:]", name)]
    best = (0, False, "", "")
    for column in usable:
        first = next((value for value in some[column] if value in index), None)
        if first is not None:
            row = some[some[column] == first].iloc[0]
            pattern = pattern_of(index[first], first, column, row[[name for name in usable if name != column]])
            there = sum((path.parent / pattern.format_map(row)).is_file() for _, row in some[usable].iterrows())
            best = max(best, (there, rows[column].is_unique, column, pattern))
    if best[0] < len(some) / 2:
        raise InputError(
            f"{path}: no column names images that lie below {path.parent}; put the table beside them, or write the "
            "entry by hand (docs/datasets.md, a table of your own)"
        )
    return best[2], best[3]


def index_images(root: Path) -> dict[str, str]:
    """The path below `root` of each image file, by that path, its name, and its name without suffix; links followed."""
    index, seen = {}, set()
    for folder, folders, names in os.walk(root, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if (real := os.path.realpath(folder)) in seen:
            folders.clear()
            continue
        seen.add(real)
        for name in sorted(names):
            if name.lower().endswith(SUFFIXES):
                place = os.path.relpath(os.path.join(folder, name), root).replace(os.sep, "/")
                for key in (place, name, name.rpartition(".")[0]):
                    index.setdefault(key, place)
    return index


def pattern_of(place: str, value: str, column: str, row: pd.Series) -> str:
    """The path of an image with columns for what stands in its row: its name, and folders called like another value."""
    before, _, after = place.rpartition(value)
    columns = {other: f"{{{name}}}" for name, other in row.items() if other}
    return "/".join(columns.get(part, plain(part)) for part in before.split("/")) + f"{{{column}}}" + plain(after)


def plain(text: str) -> str:
    """Text of which no part is a column in a pattern."""
    return text.replace("{", "{{").replace("}", "}}")
