"""Where the weights of an autoencoder are: a local folder, the hub's cache, or the hub."""

import os
import string
from pathlib import Path

from ..contracts import InputError
from ..hub import why_missing
from ..study import is_folder

WEIGHTS = "diffusion_pytorch_model.safetensors"


def weights_folder(entry: dict) -> Path:
    """Return the local folder with config.json and safetensors; a hub id is fetched, or taken from the cache."""
    source, subfolder = entry["source"], entry.get("subfolder") or ""
    if message := missing_weights(entry):
        raise InputError(f"source {source}: {message}")
    if is_folder(source):
        return local_folder(source) / subfolder
    from huggingface_hub import snapshot_download

    patterns = [f"{subfolder}/{name}".lstrip("/") for name in ("config.json", "*.safetensors")]
    return Path(snapshot_download(source, revision=entry.get("revision"), allow_patterns=patterns)) / subfolder


def missing_weights(entry: dict) -> str | None:
    """Say why the weights of an entry cannot be had and what to do, or return None."""
    source, subfolder = entry["source"], entry.get("subfolder") or ""
    if not is_folder(source):
        files = tuple(f"{subfolder}/{name}".lstrip("/") for name in ("config.json", WEIGHTS))
        return why_missing(source, files, entry.get("revision"))
    unset = [name for name in string.Template(source).get_identifiers() if name not in os.environ]
    if unset:
        return f"set the environment variable {unset[0]} to the folder of the weights (diffusers format)"
    folder = local_folder(source) / subfolder
    if not (folder / "config.json").is_file() or not list(folder.glob("*.safetensors")):
        return f"{folder} is no diffusers folder: expected config.json and a .safetensors file in it"
    return None


def local_folder(source: str) -> Path:
    return Path(os.path.expandvars(source)).expanduser()
