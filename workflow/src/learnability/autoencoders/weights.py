"""Where the weights of an autoencoder are: a local folder, the hub's cache, or the hub."""

import os
import string
from pathlib import Path

from ..contracts import InputError, digest, file_digest
from ..hub import why_missing
from ..study import is_folder
from .medvae_keys import FOLDER, VARIANTS

WEIGHTS = "diffusion_pytorch_model.safetensors"


def missing_weights(entry: dict) -> str | None:
    """Say why the weights of an entry cannot be had, or cannot fit it, and what to do, or return None."""
    source = entry["source"]
    if message := wrong_layout(entry):
        return message
    if not is_folder(source):
        return why_missing(source, hub_files(entry), entry.get("revision"))
    unset = [name for name in string.Template(source).get_identifiers() if name not in os.environ]
    if unset:
        held = VARIANTS[entry["variant"]].file if entry["class"] == "MedVAE" else "diffusers format"
        return f"set the environment variable {unset[0]} to the folder of the weights ({held})"
    folder = local_folder(entry)
    if entry["class"] == "MedVAE":
        return None if find_checkpoint(entry) else no_checkpoint(entry)
    if not (folder / "config.json").is_file() or not list(folder.glob("*.safetensors")):
        return f"{folder} is no diffusers folder: expected config.json and a .safetensors file in it"
    return None


def weights_folder(entry: dict) -> Path:
    """Return the local folder with config.json and safetensors; a hub id is fetched, or taken from the cache."""
    source = entry["source"]
    refuse_missing(entry)
    if is_folder(source):
        return local_folder(entry)
    from huggingface_hub import snapshot_download

    patterns = [file.replace(WEIGHTS, "*.safetensors") for file in hub_files(entry)]
    fetched = snapshot_download(source, revision=entry.get("revision"), allow_patterns=patterns)
    return Path(fetched, entry.get("subfolder") or "")


def medvae_checkpoint(entry: dict) -> Path:
    """Return the local checkpoint of a MedVAE entry; from a hub id it is fetched, or taken from the cache."""
    refuse_missing(entry)
    if is_folder(entry["source"]):
        return find_checkpoint(entry)
    from huggingface_hub import hf_hub_download

    return Path(hf_hub_download(entry["source"], *hub_files(entry), revision=entry.get("revision")))


def weights_digest(entry: dict) -> str:
    """SHA-256 of what an entry's weights are read from: MedVAE's checkpoint, or all safetensors of the folder."""
    if entry["class"] == "MedVAE":
        return file_digest(medvae_checkpoint(entry))
    return digest([file_digest(path) for path in sorted(weights_folder(entry).glob("*.safetensors"))])


def finetuned(entry: dict, folder: Path) -> dict:
    """The entry that reads what fine-tuning wrote into `folder`: in diffusers format, whatever it began from."""
    kind = "AutoencoderKL" if entry["class"] == "MedVAE" else entry["class"]
    return entry | {"class": kind, "source": str(folder), "subfolder": None}


def refuse_missing(entry: dict) -> None:
    if message := missing_weights(entry):
        raise InputError(f"source {entry['source']}: {message}")


def hub_files(entry: dict) -> tuple[str, ...]:
    """The files of a hub repository that loading needs."""
    if entry["class"] == "MedVAE":
        return (f"{entry.get('subfolder') or FOLDER}/{VARIANTS[entry['variant']].file}",)
    return tuple(f"{entry.get('subfolder') or ''}/{name}".lstrip("/") for name in ("config.json", WEIGHTS))


def local_folder(entry: dict) -> Path:
    """The folder of the weights on this machine; a MedVAE entry may name the file itself."""
    return Path(os.path.expandvars(entry["source"])).expanduser() / (entry.get("subfolder") or "")


def find_checkpoint(entry: dict) -> Path | None:
    """MedVAE's checkpoint in a folder, as it is or in the hub's subfolder, by its published name or as safetensors."""
    folder, file = local_folder(entry), VARIANTS[entry["variant"]].file
    names = [file, f"{FOLDER}/{file}", Path(file).with_suffix(".safetensors")]
    return next((path for path in (folder, *(folder / name for name in names)) if path.is_file()), None)


def no_checkpoint(entry: dict) -> str:
    folder, file = local_folder(entry), VARIANTS[entry["variant"]].file
    return (
        f"{folder} has no {file}: fetch it with `hf download stanfordmimi/MedVAE {FOLDER}/{file} --local-dir "
        f"{folder}`, or let source be a checkpoint of {entry['variant']} itself"
    )


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
