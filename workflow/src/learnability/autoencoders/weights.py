"""Where the weights of an autoencoder are: a folder of the user's, or what the workflow fetched or fine-tuned."""

import os
import string
from pathlib import Path

from ..contracts import InputError, digest, file_digest
from .medvae_keys import FOLDER, VARIANTS
from .own_class import find_module


def weight_files(entry: dict) -> list[str]:
    """The files of an entry below its source: MedVAE's checkpoint, or configuration and weights of diffusers."""
    if ":" in entry["class"]:  # the user's own class reads its folder itself
        return []
    if entry["class"] == "MedVAE":
        return [f"{entry.get('subfolder') or FOLDER}/{VARIANTS[entry['variant']].file}"]
    variant = f".{entry['variant']}" if entry.get("variant") else ""
    names = ("config.json", f"diffusion_pytorch_model{variant}.safetensors")
    return [f"{entry.get('subfolder') or ''}/{name}".lstrip("/") for name in names]


def weights_folder(entry: dict) -> Path:
    """Return the folder with the files of `weight_files`, of an entry in diffusers format."""
    refuse_missing(entry)
    return (base_folder(entry) / weight_files(entry)[0]).parent


def medvae_checkpoint(entry: dict) -> Path:
    """Return the checkpoint of a MedVAE entry."""
    refuse_missing(entry)
    return find_checkpoint(entry)


def refuse_missing(entry: dict) -> None:
    if message := missing_weights(entry):
        raise InputError(f"source {entry['source']}: {message}")


def missing_weights(entry: dict) -> str | None:
    """Say why the weights of an entry cannot be had from a folder, or cannot fit it, and what to do; or None."""
    if message := wrong_layout(entry):
        return message
    unset = [name for name in string.Template(entry["source"]).get_identifiers() if name not in os.environ]
    if unset and "folder" not in entry:
        held = VARIANTS[entry["variant"]].file if entry["class"] == "MedVAE" else "diffusers format"
        return f"set the environment variable {unset[0]} to the folder of the weights ({held})"
    if entry["class"] == "MedVAE":
        return None if find_checkpoint(entry) else no_checkpoint(entry)
    if not base_folder(entry).is_dir():
        return f"{base_folder(entry)} is not a folder; expected the weights of {entry['class']} there"
    for name in weight_files(entry):
        if not (base_folder(entry) / name).is_file():
            return f"{base_folder(entry) / name} does not exist; expected the weights of {entry['class']} there"
    return None


def wrong_layout(entry: dict) -> str | None:
    """Say so where an entry's channels or factor are not those of its MedVAE variant."""
    if entry["class"] != "MedVAE":
        return None  # known only when the weights are read
    name, variant = entry["variant"], VARIANTS[entry["variant"]]
    if (entry["channels"], entry["factor"]) == (variant.channels, variant.factor):
        return None
    return (
        f"{name} has channels {variant.channels} and factor {variant.factor}, not {entry['channels']} and "
        f"{entry['factor']}; write them so, or name another variant"
    )


def weights_digest(entry: dict) -> str:
    """Digest of the weights of an entry, the same wherever they lie; of a user's own class all that it may read."""
    if ":" in entry["class"]:
        roots = [base_folder(entry)] if "source" in entry else []
        read = [path for root in roots for path in sorted(root.rglob("*")) if path.is_file()]
        return digest([file_digest(path) for path in [find_module(entry["class"]), *read]])
    if entry["class"] == "MedVAE":
        return file_digest(medvae_checkpoint(entry))
    names = [name for name in weight_files(entry) if not name.endswith("config.json")]
    return digest([file_digest(base_folder(entry) / name) for name in names])


def finetuned(entry: dict, folder: Path) -> dict:
    """The entry that reads what fine-tuning wrote into `folder`: in diffusers format, whatever it began from."""
    kind = "AutoencoderKL" if entry["class"] == "MedVAE" else entry["class"]
    source = f"{entry['source']}, fine-tuned"
    return entry | {"class": kind, "source": source, "folder": str(folder), "subfolder": None, "variant": None}


def base_folder(entry: dict) -> Path:
    """`folder` is where the workflow put weights that it fetched or fine-tuned."""
    return Path(entry["folder"]) if "folder" in entry else local_folder(entry["source"])


def local_folder(source: str) -> Path:
    return Path(os.path.expandvars(source)).expanduser()


def find_checkpoint(entry: dict) -> Path | None:
    """MedVAE's checkpoint in a folder, as it is or in the hub's subfolder, by its published name or as safetensors."""
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
