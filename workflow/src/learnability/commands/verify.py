"""Compares every file of a results folder with every digest in the folder: is each file as it was written?"""

from pathlib import Path

from ..errors import InputError
from ..storage.contracts import CURVE, FIDELITY, FOLDS, SAMPLES, read_card, read_parquet
from ..storage.vouched import cards_of, results_named, vouched_by

COLUMNS_OF = {"samples.parquet": SAMPLES, "fidelity.parquet": FIDELITY, "noise_curve.parquet": CURVE}


def verify(results: Path) -> tuple[int, dict[Path, Path], list[Path]]:
    """How many digests were compared, which files are damaged and what Snakemake is asked for to make each again, and
    which cards hold no digest of themselves.

    Compared are cards with their own digest, packed arrays, predictions, histories, weights and teachers' logits with
    that in their card, and the pages of Parquet files with their checksums. Raises InputError for a folder without any.
    """
    compared, damaged, silent = 0, {}, []
    for card in cards_of(results):
        try:
            silent += [] if read_card(card)[1] else [card]
            vouched = list(vouched_by(card))
        except FileNotFoundError:  # a study that runs removed it since
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
    return compared + len(tables), dict(sorted(damaged.items())), silent


def is_sound(path: Path) -> bool:
    """Whether the pages of a table are what their checksums say, and its columns, which have none, the right ones."""
    try:
        columns = list(read_parquet(path))
    except InputError:
        return False
    expected = FOLDS if path.parent.name == "folds" else COLUMNS_OF.get(path.name, columns)
    return sorted(columns) == sorted(expected)
