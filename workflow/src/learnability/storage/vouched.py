"""Every file of a results folder whose digest a card of it holds."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..errors import InputError
from .contracts import DIGESTS, content_digest, digest, file_digest, read_json, write_json

RECORDS = ("source.json", "tuning.json")  # of weights that the workflow fetched or fine-tuned: digests of all files
TOKEN = ".last_run.json"  # in every results folder since its first run (workflow/results_folder.py)
TUNED = ("diffusion_pytorch_model.safetensors", "config.json", "history.csv")


class Vouched(NamedTuple):
    """A file that is there, its digest as a card has it, that of what lies there, and the output that brings it."""

    path: Path
    expected: str
    found: str
    made_by: Path  # what Snakemake can be asked for: of weights their record


def vouched(results: Path) -> Iterator[Vouched]:
    """What the cards of a results folder vouch for: arrays, predictions, weights. A damaged card is an InputError."""
    for card in cards_of(results):
        yield from vouched_by(card)


def cards_of(results: Path) -> list[Path]:
    """Every JSON file that a study wrote, sorted; config.json is that of a network in diffusers format."""
    return [path for path in results_named(results, "*.json") if path.name != "config.json"]


def results_named(results: Path, pattern: str) -> list[Path]:
    """Files at any depth of a results folder, sorted, without those of other studies whose results lie within it.

    What begins with a dot, or lies in such a folder, is in the making.
    """
    others = {path.parent for name in (TOKEN, "study.json") for path in results.glob(f"*/**/{name}")}
    found = files_matching(results, f"**/{pattern}")
    return [path for path in found if not any(path.is_relative_to(other) for other in others)]


def files_matching(folder: Path, pattern: str) -> list[Path]:
    """Files whose place in the folder is the whole pattern, sorted; none that is in the making."""
    hidden = re.compile(r"(^|/)\.").search
    found = (path for path in folder.glob(pattern) if not hidden(path.relative_to(folder).as_posix()))
    return sorted(path for path in found if path.is_file())


def vouched_by(card: Path) -> Iterator[Vouched]:
    """What one card vouches for: files beside it; of an encoding also tuned weights without a record."""
    if card.name in RECORDS:
        for name, expected in read_json(card).get("files", {}).items():
            if (card.parent / name).is_file():
                yield Vouched(card.parent / name, expected, file_digest(card.parent / name), card)
        return
    for name, (owner, key) in DIGESTS.items():
        path = card.with_name(name)
        if card.name == owner and path.is_file() and key in (content := read_json(card)):
            yield Vouched(path, content[key], content_digest(path), path)
    if card.name == "autoencoder.json" and len(card.parents) > 3:
        tuned = card.parents[3] / "weights" / Path(*card.parts[-3:-1]) / TUNED[0]
        if tuned.with_name("tuning.json").is_file():
            return
        # Weights that are newer were tuned again; the encoding by them is still to come.
        if tuned.is_file() and tuned.stat().st_mtime_ns <= card.stat().st_mtime_ns:
            # Its digest is taken as families/diffusers_weights.py takes it.
            yield Vouched(tuned, read_json(card)["weights_digest"], digest([file_digest(tuned)]), tuned)


def write_tuning_record(folder: Path) -> None:
    """Say beside fine-tuned weights what they, their configuration and their curves are."""
    write_json({"files": {name: file_digest(folder / name) for name in TUNED}}, folder / "tuning.json")


def refuse_damaged_weights(record: Path) -> None:
    """Refuse weights that are not what their record, one of RECORDS, says of them."""
    for path, expected, found, _ in vouched_by(record):
        if expected != found:
            raise InputError(f"{path}: damaged, not what {record.name} says; delete both and run again")
