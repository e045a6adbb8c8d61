"""Compares the files of a results folder with all digests in it: is each file as it was written?"""

from pathlib import Path

from ..errors import InputError
from ..storage.contracts import CURVE, FIDELITY, FOLDS, SAMPLES, read_json, read_parquet
from ..storage.vouched import cards_of, results_named, vouched_by

COLUMNS_OF = {"samples.parquet": SAMPLES, "fidelity.parquet": FIDELITY, "noise_curve.parquet": CURVE}


def verify(results: Path) -> tuple[int, dict[Path, Path]]:
    """Return how many digests were compared, and the damaged files with what to ask Snakemake for to make each again.

    Compares cards with their own digest; packed arrays, predictions, histories, weights and teachers' logits with the
    digest in their card; and pages of Parquet files with their checksums. Raises InputError for a folder without any.
    """
    compared, damaged = 0, {}
    for card in cards_of(results):
        try:
            read_json(card)
            vouched = list(vouched_by(card))
        except FileNotFoundError:  # a running study removed it meanwhile
            continue
        except InputError:
            damaged[card] = card
            continue
        damaged |= {file.path: file.made_by for file in vouched if file.expected != file.found}
        compared += 1 + len(vouched)
    tables = results_named(results, "*.parquet")
    damaged |= {path: path for path in tables if not is_sound(path) and path.is_file()}
    if not compared + len(tables):
        raise InputError(f"{results}: not a study's results; give the folder that `results` names in its configuration")
    return compared + len(tables), dict(sorted(damaged.items()))


def is_sound(path: Path) -> bool:
    """Whether the pages of a table match their checksums, and its columns, which have none, are the right ones."""
    try:
        columns = list(read_parquet(path))
    except InputError:
        return False
    expected = FOLDS if path.parent.name == "folds" else COLUMNS_OF.get(path.name, columns)
    return sorted(columns) == sorted(expected)
