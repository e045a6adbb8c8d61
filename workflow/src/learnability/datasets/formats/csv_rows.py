"""The rows of a CSV: one parser for header and rows, which treats a line break inside quotes as text."""

import csv
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pandas as pd
import pyarrow

from ...errors import InputError

ROWS = 10_000  # rows that are held as Python strings at once


def read_columns(path: Path, used: set[str]) -> tuple[pd.DataFrame, list[str]]:
    """Return the used columns that exist, as text in the order of the header, and the whole header.

    Skips a byte-order mark and empty lines, and takes any line ending. Raises ValueError if the file is no CSV: a row
    and the header differ in length, quotes are not closed, or the header or a used column is not UTF-8. Raises
    InputError if a used column occurs twice; other columns may.
    """
    csv.field_size_limit(sys.maxsize)
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        rows = _full_rows(csv.reader(file, strict=True))
        header = next(rows, None)
        if header is None:
            raise ValueError("No columns")
        for name in header:
            if name in used and header.count(name) > 1:
                raise InputError(
                    f"{path}: {header.count(name)} columns are called {name!r}; give each a name of its own, so that "
                    "it is clear which one is meant"
                )
        try:
            "".join(header).encode()
            return _to_frame(rows, {name: place for place, name in enumerate(header) if name in used}), header
        except UnicodeEncodeError:  # surrogates stand for bytes that are not UTF-8
            raise ValueError("not UTF-8") from None


def _full_rows(reader) -> Iterator[list[str]]:
    """Yield every non-empty row; all must be as long as the first. The message shows none: it may name a patient."""
    expected = None
    try:
        for row in reader:
            if row:
                expected = expected or len(row)
                if len(row) != expected:
                    raise ValueError(f"line {reader.line_num}: Expected {expected} columns, got {len(row)}")
                yield row
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}") from None


def _to_frame(rows: Iterator[list[str]], places: dict[str, int]) -> pd.DataFrame:
    """Convert rows to a frame with pyarrow columns, because Python strings take several times the memory."""
    schema = pyarrow.schema([(name, pyarrow.large_string()) for name in places])
    here = ([row[place] for place in places.values()] for row in rows)
    batches = []
    while some := list(islice(here, ROWS)):
        columns = [pyarrow.array(column, pyarrow.large_string()) for column in zip(*some, strict=True)]
        batches.append(pyarrow.record_batch(columns, schema))
    return pyarrow.Table.from_batches(batches, schema).to_pandas()
