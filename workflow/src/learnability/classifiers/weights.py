"""The weights that a network starts from: where they are, and which of them are used."""

import json
import math
import os
import string
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from ..storage.vouched import refuse_damaged_weights

if TYPE_CHECKING:
    from torch import nn

FILE, CONFIG = "model.safetensors", "config.json"  # as timm's repositories on the hub name them


def pretrained_file(entry: dict, fetched: str | None = None) -> Path:
    """The weights file of a `pretrained` entry: beside the record of fetch_weights, else in the folder `source`."""
    if fetched:
        refuse_damaged_weights(Path(fetched))
        return Path(fetched).with_name(FILE)
    source = entry["source"]
    unset = [name for name in string.Template(source).get_identifiers() if name not in os.environ]
    if unset:
        raise InputError(f"source {source}: set the environment variable {unset[0]} to the folder of the weights")
    path = Path(os.path.expandvars(source)).expanduser() / FILE
    if not path.is_file():
        raise InputError(f"{path} does not exist; expected the weights of a timm model there{advice_of(path.parent)}")
    return path


def advice_of(folder: Path) -> str:
    """What to do if the weights in a folder are not laid out as expected; else ""."""
    found = sorted(path.name for path in folder.glob("*") if path.suffix in (".bin", ".pth", ".pt", ".safetensors"))
    if not found:
        return ""
    if found[0].endswith(".safetensors"):
        return f". There is {found[0]}: one file of all tensors is expected, called {FILE}"
    code = f"import torch, safetensors.torch as s; s.save_file(torch.load('{found[0]}', weights_only=True), '{FILE}')"
    return f'. There is {found[0]}; convert it there by `python -c "{code}"`'


def trained_moments(file: Path, model: str) -> tuple[list[float], list[float]]:
    """Mean and standard deviation, of RGB in 0..255, that normalised the images which weights were trained on.

    From config.json beside them; else timm's of the weights that source.json beside them or the tag of `model` names,
    or of all that timm has of this `model`. Raises InputError where these disagree.
    """
    said = configured_moments(file.with_name(CONFIG)) or registered_moments(file, model)
    return tuple([255 * value for value in values] for values in said)


def configured_moments(path: Path) -> tuple | None:
    """Mean and standard deviation of RGB in [0, 1] that timm's config.json states, or None where it states none."""
    if not path.is_file():
        return None
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        config = config.get("pretrained_cfg") or config  # older ones are flat
        if "mean" not in config and "std" not in config:
            return None
        mean, std = ([float(value) for value in config[key]] for key in ("mean", "std"))
        if not len(mean) == len(std) == 3 or not all(map(math.isfinite, mean)) or not all(map(usable, std)):
            raise ValueError(f"mean {mean}, std {std}")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: no configuration of timm ({error!r}); expected mean and std, three numbers each, of RGB in "
            f"[0, 1]; {own_version(path, 'fetch it again, or write them')}"
        ) from error
    return mean, std


def own_version(path: Path, advice: str) -> str:
    """What to do about a file of weights: `advice` in a folder of the user's; fetched ones must stay what they are."""
    if not path.with_name("source.json").is_file():
        return advice
    return f"Copy {path.parent} into a folder of yours, without source.json, name it as `source`, and there: {advice}"


def usable(deviation: float) -> bool:
    return math.isfinite(deviation) and deviation > 0


def registered_moments(file: Path, model: str) -> tuple:
    """Mean and standard deviation of RGB in [0, 1] that timm knows of weights.

    By the names that the record of what was fetched and `model` give them, where timm has such; else those that all of
    its weights for `model` have. Raises InputError where these disagree.
    """
    from timm.models import get_arch_pretrained_cfgs

    known = get_arch_pretrained_cfgs(model)
    record = file.with_name("source.json")  # of fetch_weights
    owner, _, name = (
        json.loads(record.read_text(encoding="utf-8"))["repository"].partition("/")
        if record.is_file()
        else ("", "", "")
    )
    named = [known[tag] for tag in (name if owner == "timm" else "", model) if tag in known]
    asked = named or [cfg for cfg in known.values() if cfg.has_weights or len(known) == 1]
    found = {(tuple(cfg.mean), tuple(cfg.std)) for cfg in asked}
    if len(found) != 1:
        advice = own_version(file, f"Put the {CONFIG} of the weights beside them, or write one")
        raise InputError(
            f"{file}: which mean and deviation these weights of {model} were trained with is not known; timm has "
            f"{len(found) or 'none'}, {sorted(found)}. {advice}: "
            '{"mean": [...], "std": [...]}, three numbers each, of RGB in [0, 1]'
        )
    return found.pop()


def read_weights(path: Path) -> dict:
    """The tensors of a safetensors file, by name; raises InputError where it is missing or is none."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise InputError(f"{path} does not exist; expected the weights of a network there")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise InputError(f"{path}: not a whole safetensors file ({error}); fetch or make it again") from error


def load_weights(network: "nn.Module", weights: dict, fresh: tuple[str, ...] = ()) -> str:
    """Give a network its weights, except for the layers `fresh`; say which others do not fit, or say nothing.

    Every tensor of the network must be in `weights` with its shape, and nothing else may be.
    """
    own = network.state_dict()
    taken = {key: value for key, value in weights.items() if key.rpartition(".")[0] not in fresh}
    wrong = [
        f"{key} is {tuple(value.shape)}, expected {tuple(own[key].shape)}"
        for key, value in taken.items()
        if key in own and value.shape != own[key].shape
    ]
    if not wrong:
        result = network.load_state_dict(taken, strict=False)  # older files hold no counter of batch norm's batches
        wrong += [f"{key} is missing" for key in result.missing_keys if key.rpartition(".")[0] not in fresh]
        wrong += [f"{key} is not part of the network" for key in result.unexpected_keys]
    return "; ".join(wrong[:3]) + (f"; and {len(wrong) - 3} more" if len(wrong) > 3 else "")
