"""Results of an earlier version taken over: checked against the digests of their cards, then marked as done.

For versions that compute the same (CHANGELOG.md says which): the digest of a job's code is another, its result is not.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from .contracts import InputError, file_digest, read_json
from .store import packed_digest


def adopt(config: dict, configfiles: list[Path]) -> None:
    """Check what the cards of a results folder vouch for, then let Snakemake touch everything that the study has.

    Raises InputError for a folder without results, and for files that are not what their card says.
    """
    results = Path(config["results"])
    checked = list(vouched(results))
    if not checked:
        raise InputError(f"{results}: no card of a dataset, encoding or weights; there is nothing to take over")
    if damaged := [path for path, expected, found in checked if expected != found]:
        raise InputError(
            f"{', '.join(map(str, damaged))}: not what the card beside it says; remove it and run the study again"
        )
    print(f"{results}: {len(checked)} files are what their cards say", flush=True)
    command = [sys.executable, "-m", "snakemake", "--touch", "--cores", "1"]
    if configfiles:
        command += ["--configfile", *map(str, configfiles)]
    if subprocess.run(command, check=False).returncode:
        raise InputError(f"{results}: not taken over; Snakemake's message is above")


def vouched(results: Path) -> Iterator[tuple[Path, str, str | None]]:
    """Every file of which a card has the digest, that digest, and the digest of what lies there (None: nothing)."""
    arrays = {
        "datasets/*/dataset.json": {"digest": "images.npy", "digest_small": "images_small.npy"},
        "encodings/*/*/autoencoder.json": {
            "digest_latents": "latents.npy",
            "digest_reconstructions": "reconstructions.npy",
        },
    }
    for pattern, named in arrays.items():
        for card in sorted(results.glob(pattern)):
            content = read_json(card)
            for key, name in named.items():
                if key in content:
                    yield card.with_name(name), content[key], found(card.with_name(name), packed_digest)
    for card in sorted(results.glob("weights/*/source.json")):
        for name, expected in read_json(card)["files"].items():
            yield card.with_name(name), expected, found(card.with_name(name), file_digest)


def found(path: Path, digest_of) -> str | None:
    return digest_of(path) if path.is_file() else None
