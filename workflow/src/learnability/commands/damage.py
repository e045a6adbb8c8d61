"""Reports visibly damaged results before a run that would stop at them."""

from collections.abc import Iterator
from pathlib import Path

from ..errors import InputError
from ..storage.arrays import open_packed
from ..storage.contracts import read_json
from ..storage.vouched import cards_of, results_named


def damaged_results(results: Path) -> Iterator[str]:
    """A message for each truncated packed array, invalid card and truncated table.

    Checks headers, lengths and cards, but not the content of arrays and tables; `learnability verify` compares all.
    """
    for look, files in (
        (open_packed, results_named(results, "*.npy")),
        (read_json, cards_of(results)),
        (read_footer, results_named(results, "*.parquet")),
    ):
        for path in files:
            try:
                look(path)
            except FileNotFoundError:  # a running study removed it meanwhile
                continue
            except InputError as error:
                yield str(error)
            except OSError as error:
                yield f"{path}: cannot be read ({error.strerror or error}); mend that"


def read_footer(path: Path) -> None:
    """Refuse a Parquet file that is cut short."""
    import pyarrow.parquet

    try:
        pyarrow.parquet.read_metadata(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: damaged, no whole table ({error}); delete it and run again") from error
