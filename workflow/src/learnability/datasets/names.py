"""Names of images, classes and groups: invisible characters are removed, and "unknown" never counts as a patient."""

import re
import unicodedata
from collections.abc import Iterable
from itertools import chain

import pandas as pd

from ..errors import InputError
from ..study.words import counted

# Words for a missing value in tables that other programs wrote, in lower case.
MISSING = {"", "na", "n/a", "#n/a", "<na>", "nan", "#nan", "nat", "null", "none", "nil", "unknown", "missing",
           "undefined", "-", "--", "–", "—", "?", "."}  # fmt: skip
SPACES = ("Zs", "Zl", "Zp", "Cc")  # Unicode's categories
FORMAT = "Cf"  # zero-width characters, soft hyphens, marks of direction
SHOWN = 3  # examples in a message


def strip(values: pd.Series) -> tuple[pd.Series, int]:
    """Strip blanks and invisible characters around each text; also return how many values had some."""
    doubtful = values.str.contains(r"^[^!-~]|[^!-~]$")
    if not doubtful.any():
        return values, 0
    stripped = values.copy()
    stripped[doubtful] = values[doubtful].map(_strip)
    return stripped, int((stripped != values).sum())


def _strip(text: str) -> str:
    seen = [i for i, character in enumerate(text) if unicodedata.category(character) not in (*SPACES, FORMAT)]
    return text[seen[0] : seen[-1] + 1] if seen else ""


def strip_columns(rows: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Strip every cell of a table; also count the changed cells of each column that has some."""
    pairs = {name: strip(rows[name]) for name in rows.columns}
    changed = {name: number for name, (_, number) in pairs.items() if number}
    return rows.assign(**{name: pairs[name][0] for name in changed}) if changed else rows, changed


def add_counts(*counts: dict[str, int]) -> dict[str, int]:
    """Counts by name, summed."""
    return {name: sum(each.get(name, 0) for each in counts) for name in dict.fromkeys(chain(*counts))}


def unify(values: pd.Series, known: Iterable[str] = ()) -> tuple[pd.Series, int]:
    """Write values that are one name in several encodings in one way; also count the rewritten ones.

    Texts are one name if they share a Unicode normal form apart from invisible characters and kinds of blanks, or are
    12.0 and 12. A name written in only one way stays as it is, unless it is a `known` name in other characters.
    """
    texts = pd.Series(values.unique())
    doubtful = texts.str.contains(r"[^ -~]|^[0-9]+\.0+$")
    wanted = {_encoded(name): name for name in known}
    plain = set(texts[~doubtful]) if doubtful.any() else set()
    doubtful = texts[doubtful]
    keys = doubtful.map(_encoded)
    shared = keys.duplicated(keep=False) | keys.isin(plain) | keys.isin(wanted.keys())
    renamed = {text: wanted.get(key, key) for text, key in zip(doubtful[shared], keys[shared], strict=True)}
    renamed = {text: name for text, name in renamed.items() if text != name}
    if not renamed:
        return values, 0
    return values.map(lambda text: renamed.get(text, text)).astype(values.dtype), int(values.isin(renamed).sum())


def _encoded(text: str) -> str:
    """The text in one encoding: normal form C, plain blanks, nothing invisible, a whole number without a point."""
    if not text.isascii():
        kinds = [(character, unicodedata.category(character)) for character in text]
        text = "".join(" " if kind in SPACES else character for character, kind in kinds if kind != FORMAT)
        text = unicodedata.normalize("NFC", text)
    return re.sub(r"^([0-9]+)\.0+$", r"\1", text)


def look_alikes(names: Iterable[str]) -> list[list[str]]:
    """Names that may mean the same: they differ only in case, width, separators, or zeros before a number."""
    alike: dict[str, list[str]] = {}
    for name in names:
        folded = re.sub(r"[\s_-]+", "_", unicodedata.normalize("NFKC", _encoded(name)).casefold())
        alike.setdefault(re.sub(r"(?<![0-9])0+(?=[0-9])", "", folded), []).append(name)
    return [sorted(found) for found in alike.values() if len(found) > 1]


def is_missing(values: pd.Series) -> pd.Series:
    """Whether each value is a word for a missing value."""
    return values.isin([text for text in values.unique() if text.casefold() in MISSING])


def own_groups(group: pd.Series, ids: pd.Series, named: Iterable[str], origin: str) -> tuple[pd.Series, dict[str, int]]:
    """Make every row whose group is one of `named` (in any case) a group of its own; also count the rows of each value.

    Any other word for a missing value is an InputError, because nobody has said whether its rows are one patient.
    """
    known = {text.casefold() for text in named}
    own = group.isin([text for text in group.unique() if text.casefold() in known])
    unnamed = group[is_missing(group) & ~own]
    if len(unnamed):
        counts = ", ".join(f"{text!r} ({counted(count, 'row')})" for text, count in unnamed.value_counts().items())
        listed = ", ".join(f'"{text}"' for text in unnamed.unique())
        raise InputError(
            f"{origin}: {counts} as group, the first is sample {ids[unnamed.index[0]]!r}; expected the name of a "
            f"patient or lesion in every row: fill them in, or set `missing_groups: [{listed}]` in the dataset's "
            "entry, which makes each of these rows a group of its own"
        )
    found = {str(text): int(count) for text, count in group[own].value_counts().items()}
    return (group.mask(own, "image:" + ids[own]) if found else group), found


def warnings_of(names: dict, samples: pd.DataFrame, grouped: bool) -> list[str]:
    """Warnings about the names of a collection: which were changed, and which are doubtful.

    `names` counts over the whole data set; `samples` may be a part of it.
    """
    found = [
        f"{counted(count, 'value')} of {column!r} in the whole data set had blanks at the ends"
        for column, count in names["stripped"].items()
    ]
    found += [
        f"{counted(count, 'value')} of {column!r} in the whole data set spelled unlike another there, and now the same"
        for column, count in names["unified"].items()
    ]
    found += [
        f"{counted(count, 'image')} of the whole data set with {text!r} as group: each is a group of its own"
        for text, count in names["missing_groups"].items()
    ]
    for column, texts in doubtful_names(samples, grouped).items():
        shown = "; ".join(" and ".join(map(repr, alike)) for alike in texts[:SHOWN])
        found.append(
            f"{counted(len(texts), 'set')} of values of {column!r} alike but for case, separators or leading zeros, "
            f"which are kept apart: {shown}"
        )
    classes = samples["label_name"].drop_duplicates()
    return found + [f"class {text!r} reads like a missing label" for text in classes[is_missing(classes)]]


def doubtful_names(samples: pd.DataFrame, grouped: bool) -> dict[str, list[list[str]]]:
    """The look-alikes among classes, and among groups if the data have any; empty lists are left out."""
    columns = ["group", "label_name"] if grouped else ["label_name"]
    found = {column: look_alikes(samples[column].unique()) for column in columns}
    return {column: alike for column, alike in found.items() if alike}
