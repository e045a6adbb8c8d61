"""Every file of a results folder whose digest is in one of the folder's cards."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..errors import InputError
from .contracts import DIGESTS, content_digest, file_digest, read_json, write_json

RECORDS = ("source.json", "tuning.json")  # beside fetched or fine-tuned weights; they hold digests of all files
TOKEN = ".last_run.json"  # in every results folder since its first run (workflow/results_folder.py)
TUNED = ("diffusion_pytorch_model.safetensors", "config.json", "history.csv")


class Vouched(NamedTuple):
    """An existing file, its digest in a card, its present digest, and the output that makes it."""

    path: Path
    expected: str
    found: str
    made_by: Path  # what to ask Snakemake for; for weights, their record


def vouched(results: Path) -> Iterator[Vouched]:
    """What the cards of a results folder vouch for: arrays, predictions, weights. InputError for a damaged card."""
    for card in cards_of(results):
        yield from vouched_by(card)


def cards_of(results: Path) -> list[Path]:
    """Every JSON file that a study wrote, sorted; without config.json, which belongs to diffusers' format."""
    return [path for path in results_named(results, "*.json") if path.name != "config.json"]


def results_named(results: Path, pattern: str) -> list[Path]:
    """Files of this name at any depth of a results folder, sorted; other studies' results within it are left out.

    A file or folder whose name begins with a dot is unfinished, and is left out too.
    """
    others = {path.parent for name in (TOKEN, "study.json") for path in results.glob(f"*/**/{name}")}
    found = files_matching(results, f"**/{pattern}")
    return [path for path in found if not any(path.is_relative_to(other) for other in others)]


def files_matching(folder: Path, pattern: str) -> list[Path]:
    """Files whose path in the folder matches the whole pattern, sorted; unfinished ones are left out."""
    hidden = re.compile(r"(^|/)\.").search
    found = (path for path in folder.glob(pattern) if not hidden(path.relative_to(folder).as_posix()))
    return sorted(path for path in found if path.is_file())


def vouched_by(card: Path) -> Iterator[Vouched]:
    """What one card vouches for: files beside it."""
    if card.name in RECORDS:
        for name, expected in read_json(card).get("files", {}).items():
            if (card.parent / name).is_file():
                yield Vouched(card.parent / name, expected, file_digest(card.parent / name), card)
        return
    for name, (owner, key) in DIGESTS.items():
        path = card.with_name(name)
        if card.name == owner and path.is_file() and key in (content := read_json(card)):
            yield Vouched(path, content[key], content_digest(path), path)


def write_tuning_record(folder: Path) -> None:
    """Write the digests of fine-tuned weights, their configuration and their curves beside them."""
    write_json({"files": {name: file_digest(folder / name) for name in TUNED}}, folder / "tuning.json")


def refuse_damaged_weights(record: Path) -> None:
    """Refuse weights that differ from what their record (one of RECORDS) says."""
    for path, expected, found, _ in vouched_by(record):
        if expected != found:
            raise InputError(f"{path}: damaged, not what {record.name} says; delete both and run again")
