"""Results of an earlier version taken over: checked against the digests of their cards, then marked as done.

For versions that compute the same (CHANGELOG.md says which): the digest of a job's code is another, its result is not.
"""

import subprocess
import sys
from pathlib import Path

from ..errors import InputError
from ..storage.arrays import packed_digest
from ..storage.contracts import read_json
from ..storage.vouched import TUNED, results_named, vouched, write_tuning_record
from .identity import changed_weights
from .results_folder import accept_results


def adopt(config: dict, configfiles: list[Path]) -> None:
    """Check what the cards of a results folder vouch for, then let Snakemake touch everything that the study has.

    Cards that earlier versions did not write are added first: Snakemake touches no job that lacks an output.

    Raises InputError for a folder without results, for files that are not what their card says, and for encodings by
    other weights than lie in the user's folders now.
    """
    results = Path(config["results"])
    checked = list(vouched(results))
    if not checked:
        raise InputError(f"{results}: no card of a dataset, encoding or weights; there is nothing to take over")
    if damaged := [file.path for file in checked if file.expected != file.found]:
        raise InputError(
            f"{', '.join(map(str, damaged))}: not what the card beside it says; remove it and run the study again"
        )
    cards = sorted(results.glob("encodings/*/*/autoencoder.json"))
    if changed := [text for card in cards if (text := changed_weights(config, *card.parent.parts[-2:]))]:
        raise InputError("; ".join(changed))
    print(f"{results}: {len(checked)} files are what their cards say", flush=True)
    add_cards_of_logits(results)
    add_records_of_tuning(results)
    accept_results(results)
    command = [sys.executable, "-m", "snakemake", "--touch", "--cores", "1"]
    if configfiles:
        command += ["--configfile", *map(str, configfiles)]
    if subprocess.run(command, check=False).returncode:
        raise InputError(f"{results}: not taken over; Snakemake's message is above")


def add_cards_of_logits(results: Path) -> None:
    """Write a missing card of teachers' logits, as their job does, for the run that metrics.json names."""
    for path in results_named(results, "teacher_logits.npy"):
        metrics = path.with_name("metrics.json")
        if metrics.is_file() and not path.with_suffix(".json").is_file():
            from ..training.teacher import write_card  # not before: it imports torch

            write_card(read_json(metrics), packed_digest(path), path)


def add_records_of_tuning(results: Path) -> None:
    """Write a missing record of fine-tuned weights, as their job does."""
    for folder in sorted(results.glob("weights/*/*")):
        if all((folder / name).is_file() for name in TUNED) and not (folder / "tuning.json").is_file():
            write_tuning_record(folder)
