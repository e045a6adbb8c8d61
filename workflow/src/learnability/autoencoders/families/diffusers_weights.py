"""The weights of an entry in diffusers format: config.json and a safetensors file, in one folder."""

import logging
import re
from pathlib import Path

from ...errors import InputError
from ...storage.contracts import digest, file_digest
from .folders import base_folder, unset_variable

STEM, SUFFIX = "diffusion_pytorch_model", ".safetensors"
WHOLE = "max_shard_size='1TB'"
OWN_KEY = re.compile(r"The config attributes \{'block_out_channels': \[[\d, ]+\]\} were passed to AutoencoderTiny")


def weight_files(entry: dict) -> list[str]:
    """Configuration and weights, below the source of the entry."""
    variant = f".{entry['variant']}" if entry.get("variant") else ""
    names = ("config.json", f"{STEM}{variant}{SUFFIX}")
    return [f"{entry.get('subfolder') or ''}/{name}".lstrip("/") for name in names]


def weights_folder(entry: dict) -> Path:
    """Return the folder with the files of `weight_files`; InputError for a missing one."""
    if message := missing_weights(entry):
        raise InputError(f"source {entry['source']}: {message}")
    return (base_folder(entry) / weight_files(entry)[0]).parent


def missing_weights(entry: dict) -> str | None:
    """Say why the weights of an entry are not available in a folder, and what to do; or None."""
    if name := unset_variable(entry):
        return f"set the environment variable {name} to the folder of the weights (diffusers format)"
    if not base_folder(entry).is_dir():
        return f"{base_folder(entry)} is not a folder; expected the weights of {entry['class']} there"
    for name in weight_files(entry):
        if not (path := base_folder(entry) / name).is_file():
            return f"{path} does not exist; expected the weights of {entry['class']} there" + advice_of(
                entry, path.parent
            )
    return None


def advice_of(entry: dict, folder: Path) -> str:
    """What to write instead if the files in a folder are not laid out as expected; else ""."""
    if not (folder / "config.json").is_file():
        below = [path.parent.name for path in sorted(folder.glob("*/config.json"))]
        below = ["vae"] if "vae" in below else below
        return f". Its folder {below[0]} has a config.json: write `subfolder: {below[0]}`" if below else ""
    found = sorted(path.name for path in folder.glob(f"{STEM}*"))
    variants = [name[len(STEM) + 1 : -len(SUFFIX)] for name in found if name.endswith(SUFFIX) and "-of-" not in name]
    variants = [name for name in variants if name]
    if variants and not entry.get("variant"):
        return f". There is {STEM}.{variants[0]}{SUFFIX}: write `variant: {variants[0]}`"
    if (folder / f"{STEM}{SUFFIX}").is_file():
        return f". There is {STEM}{SUFFIX}: leave `variant` out"
    if not found:
        return ""
    code = f"from diffusers import {entry['class']} as A; A.from_pretrained('{folder}').save_pretrained('NEW', {WHOLE})"
    return f'. There is {found[0]}; make one file of it by `python -c "{code}"`, and let `source` be ./NEW'


def files_read(entry: dict) -> dict[str, Path]:
    """Configuration and weights by name; both decide what the model computes."""
    config, weights = (base_folder(entry) / name for name in weight_files(entry))
    return {"config": config, "weights": weights}


def card_digests(entry: dict) -> dict[str, str]:
    """Digests of the weights and of config.json, because no tensor holds scale, normalisation or activations."""
    files = files_read(entry)
    return {"weights_digest": digest([file_digest(files["weights"])]), "config_digest": file_digest(files["config"])}


def hush_own_key() -> None:
    """Keep away the warning that AutoencoderTiny has a key too many: diffusers itself writes it when it saves one."""
    logging.getLogger("diffusers.configuration_utils").addFilter(is_of_others)  # the same one is added once


def is_of_others(record: logging.LogRecord) -> bool:
    return not OWN_KEY.match(record.getMessage())
