"""The checkpoint of a MedVAE entry: in its folder, or the file itself."""

from pathlib import Path

from ...errors import InputError
from ...storage.contracts import file_digest
from .folders import base_folder, unset_variable
from .medvae_keys import FOLDER, VARIANTS


def weight_files(entry: dict) -> list[str]:
    """The checkpoint, below the source of the entry."""
    return [f"{entry.get('subfolder') or FOLDER}/{VARIANTS[entry['variant']].file}"]


def medvae_checkpoint(entry: dict) -> Path:
    """Return the checkpoint; InputError with the reason if it is missing."""
    if message := missing_weights(entry):
        raise InputError(f"source {entry['source']}: {message}")
    return find_checkpoint(entry)


def missing_weights(entry: dict) -> str | None:
    """Say why an entry's checkpoint is not available in a folder or does not fit, and what to do; or None."""
    if message := wrong_layout(entry):
        return message
    if name := unset_variable(entry):
        file = VARIANTS[entry["variant"]].file
        return f"set the environment variable {name} to the folder of the weights ({file})"
    return None if find_checkpoint(entry) else no_checkpoint(entry)


def wrong_layout(entry: dict) -> str | None:
    """Report an entry whose channels or factor differ from those of its variant; else None."""
    name, variant = entry["variant"], VARIANTS[entry["variant"]]
    if (entry["channels"], entry["factor"]) == (variant.channels, variant.factor):
        return None
    return (
        f"{name} has channels {variant.channels} and factor {variant.factor}, not {entry['channels']} and "
        f"{entry['factor']}; write them so, or name another variant"
    )


def files_read(entry: dict) -> dict[str, Path]:
    """Only the checkpoint, because the variant says everything else."""
    return {"weights": medvae_checkpoint(entry)}


def card_digests(entry: dict) -> dict[str, str]:
    return {"weights_digest": file_digest(medvae_checkpoint(entry))}


def find_checkpoint(entry: dict) -> Path | None:
    """Find the checkpoint in a folder or in its subfolder of the hub, by its published name or as safetensors."""
    folder, file = base_folder(entry) / (entry.get("subfolder") or ""), VARIANTS[entry["variant"]].file
    names = [file, f"{FOLDER}/{file}", Path(file).with_suffix(".safetensors")]
    found = (base_folder(entry) / weight_files(entry)[0], folder, *(folder / name for name in names))
    return next((path for path in found if path.is_file()), None)


def no_checkpoint(entry: dict) -> str:
    folder, file = base_folder(entry) / (entry.get("subfolder") or ""), VARIANTS[entry["variant"]].file
    return (
        f"{folder} has no {file}: fetch it with `hf download stanfordmimi/MedVAE {FOLDER}/{file} --local-dir "
        f"{folder}`, or let source be a checkpoint of {entry['variant']} itself"
    )
