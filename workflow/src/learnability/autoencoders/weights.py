"""Where the weights of an autoencoder are: a folder of the user's, or what fetch_weights brought."""

import os
import string
from pathlib import Path

from ..contracts import InputError, digest, file_digest


def weight_files(entry: dict) -> list[str]:
    """The files of an entry below its source: the configuration and one safetensors file, in diffusers format."""
    if ":" in entry["class"]:  # the user's own class reads its folder itself
        return []
    variant = f".{entry['variant']}" if entry.get("variant") else ""
    names = ("config.json", f"diffusion_pytorch_model{variant}.safetensors")
    return [f"{entry.get('subfolder') or ''}/{name}".lstrip("/") for name in names]


def weights_folder(entry: dict) -> Path:
    """Return the folder with the files of `weight_files`: `folder` of the entry, else its `source`."""
    if message := missing_weights(entry):
        raise InputError(f"source {entry['source']}: {message}")
    return (base_folder(entry) / weight_files(entry)[0]).parent


def missing_weights(entry: dict) -> str | None:
    """Say why the weights of an entry cannot be had from a folder and what to do, or return None."""
    unset = [name for name in string.Template(entry["source"]).get_identifiers() if name not in os.environ]
    if unset and "folder" not in entry:
        return f"set the environment variable {unset[0]} to the folder of the weights"
    if not base_folder(entry).is_dir():
        return f"{base_folder(entry)} is not a folder; expected the weights of {entry['class']} there"
    for name in weight_files(entry):
        if not (base_folder(entry) / name).is_file():
            return f"{base_folder(entry) / name} does not exist; expected the weights of {entry['class']} there"
    return None


def weights_digest(entry: dict) -> str:
    """Digest of the weights of an entry, the same wherever they lie."""
    names = [name for name in weight_files(entry) if not name.endswith("config.json")]
    return digest([file_digest(base_folder(entry) / name) for name in names])


def base_folder(entry: dict) -> Path:
    """`folder` is where the workflow put weights that it fetched or fine-tuned."""
    return Path(entry["folder"]) if "folder" in entry else local_folder(entry["source"])


def local_folder(source: str) -> Path:
    return Path(os.path.expandvars(source)).expanduser()
