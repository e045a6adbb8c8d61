"""Takes over results of an earlier version: checks them against the digests in their cards and marks them as done.

This is for versions that compute the same (see CHANGELOG.md): the digest of a job's code differs, its result does not.
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
    """Check what the cards of a results folder vouch for, then let Snakemake touch all files of the study.

    Adds cards that earlier versions did not write first, because Snakemake touches no job that lacks an output.

    Raises InputError for a folder without results, for files that differ from their card, and for encodings made with
    other weights than those now in the user's folders.
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
    """Write a missing card of teachers' logits, as their job does, for the run named in metrics.json."""
    for path in results_named(results, "teacher_logits.npy"):
        metrics = path.with_name("metrics.json")
        if metrics.is_file() and not path.with_suffix(".json").is_file():
            from ..training.teacher import write_card  # here, because it imports torch

            write_card(read_json(metrics), packed_digest(path), path)


def add_records_of_tuning(results: Path) -> None:
    """Write a missing record of fine-tuned weights, as their job does."""
    for folder in sorted(results.glob("weights/*/*")):
        if all((folder / name).is_file() for name in TUNED) and not (folder / "tuning.json").is_file():
            write_tuning_record(folder)
