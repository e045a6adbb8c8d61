"""Takes over results of another version: checks them against the digests in their cards and marks them as done.

This is for versions that compute the same (see CHANGELOG.md): the digest of a job's code differs, its result does not.
"""

import subprocess
import sys
from pathlib import Path

from ..errors import InputError
from ..storage.vouched import vouched
from ..study.words import counted
from .identity import changed_weights
from .results_folder import accept_results


def adopt(config: dict, configfiles: list[Path]) -> None:
    """Check what the cards of a results folder vouch for, then let Snakemake touch all files of the study.

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
    print(f"{results}: {counted(len(checked), 'file')} compared with their cards: no differences", flush=True)
    accept_results(results)
    command = [sys.executable, "-m", "snakemake", "--touch", "--cores", "1"]
    if configfiles:
        command += ["--configfile", *map(str, configfiles)]
    if subprocess.run(command, check=False).returncode:
        raise InputError(f"{results}: not taken over; Snakemake's message is above")
