"""The autoencoder of a new study: its source, and the measured layout of its latent."""

import json
import re
import unicodedata
from pathlib import Path

from ..autoencoders.families.folders import local_folder
from ..errors import InputError
from ..registry import is_control
from ..study.cells import resolve_autoencoder
from ..study.names import NOT_TO_GIVE
from ..study.sources import is_folder

CONFIG = "config.json"
PLACES = ("", "vae")  # places of weights below a source; pipelines have a folder vae


def find_autoencoder(source: str, config: dict) -> tuple[str, dict | None]:
    """Name and entry of the autoencoder that `source` means; the entry is None if config.yaml already has it.

    `source` is the name or hub id of an entry in config.yaml, a folder in diffusers format, another hub id, or
    module:Class.
    """
    entries = config["autoencoders"]
    taken = entries | config["pretrained"]
    known = {name: entries[name] for name in entries if not is_control(resolve_autoencoder(config, name))}
    for name, entry in known.items():
        if source in (name, entry.get("source")):
            return name, None
    if re.fullmatch(r"[A-Za-z_][\w.]*:\w+", source):
        name, entry = source.rpartition(":")[2], {"class": source}
    elif is_folder(source) or local_folder(source).is_dir():
        name, entry = local_folder(source).resolve().name, of_folder(source)
    elif source.count("/") == 1:
        return slug(source, taken), {"label": source, "role": "family"} | of_hub(source)
    else:
        raise InputError(
            f"--autoencoder {source!r}: expected a name of config.yaml ({', '.join(known)}), a folder in diffusers "
            "format, a hub id owner/name, or a class of your own as module:Class"
        )
    return slug(name, taken), {"label": name, "role": "family"} | entry | measure(entry, source)


def of_folder(source: str) -> dict:
    """Class and place of weights in a folder, from their config.json."""
    folder = local_folder(source)
    if not folder.is_dir():
        wrong = "is no folder" if folder.exists() else "does not exist"
        raise InputError(f"--autoencoder {source}: {wrong}; expected a folder in diffusers format")
    for place in PLACES:
        if (folder / place / CONFIG).is_file():
            found = {"class": class_in(folder / place / CONFIG), "source": written(source)}
            return found | ({"subfolder": place} if place else {})
    raise InputError(
        f"--autoencoder {source}: no {CONFIG} there or in vae/; expected a folder in diffusers format, with "
        f"{CONFIG} and diffusion_pytorch_model.safetensors. MedVAE is `--autoencoder medvae`; for a checkpoint of your "
        "own write a class (docs/own_autoencoder.md)"
    )


def written(source: str) -> str:
    """A folder as a study file names it, so that it is found from other working directories too."""
    return source if source.startswith(("$", "~", "/")) else str(Path(source).resolve())


def class_in(path: Path) -> str:
    """The class that a config.json names."""
    try:
        found = json.loads(path.read_text(encoding="utf-8")).get("_class_name")
    except (ValueError, AttributeError) as error:
        raise InputError(f"{path}: no JSON of diffusers ({error}); expected the configuration of a model") from None
    if not isinstance(found, str):
        raise InputError(f"{path}: no _class_name; expected the class of diffusers that the weights belong to")
    return found


def measure(entry: dict, source: str) -> dict:
    """Channels and factor of the latent, from one encoding of a grey image on the CPU."""
    import torch

    from ..autoencoders.interface import load_autoencoder

    try:
        found = load_autoencoder(entry | {"factor": 8}, torch.device("cpu"))
    except InputError:
        raise
    except Exception as error:  # an own class may raise anything
        raise InputError(
            f"--autoencoder {source}: {type(error).__name__}: {error}; expected a class that is made without arguments "
            "and whose `encode` takes images (N, 3, H, W): write its entry by hand (docs/own_autoencoder.md)"
        ) from None
    layout = {"channels": found.channels, "factor": found.factor}
    return layout if found.decodes else layout | {"decodes": False}


def of_hub(source: str) -> dict:
    """Class, place and layout of weights on the hub, from config.json alone, before any weights are fetched."""
    import diffusers
    import torch
    from huggingface_hub import hf_hub_download

    from ..autoencoders.families.diffusers_family import raw_code, to_image_channels
    from ..autoencoders.families.layout import measure_layout
    from ..workflow.hub import token, why_missing

    messages = {place: why_missing(source, (f"{place}/{CONFIG}".lstrip("/"),), None) for place in PLACES}
    place = next((place for place, message in messages.items() if message is None), None)
    if place is None:
        raise InputError(f"--autoencoder {source}: {messages['vae']}")
    path = Path(hf_hub_download(source, f"{place}/{CONFIG}".lstrip("/"), token=token()))
    kind = getattr(diffusers, class_in(path), None)
    if kind is None:
        raise InputError(f"--autoencoder {source}: diffusers has no class {class_in(path)}; write a class of your own")
    model = kind.from_config(kind.load_config(path)).eval()
    channels, factor = measure_layout(lambda x: raw_code(model, to_image_channels(x, model)), 8, torch.device("cpu"))
    found = {"class": class_in(path), "source": source, "channels": channels, "factor": factor}
    return found | ({"subfolder": place} if place else {})


def slug(name: str, taken: dict) -> str:
    """Make a name for the configuration from any text; no other entry has it."""
    found = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()  # an umlaut is its letter
    found = re.sub(r"[^a-z0-9]+", "_", found).strip("_") or "mine"
    found = found if found[0].isalpha() else f"own_{found}"
    found = f"own_{found}" if found in NOT_TO_GIVE else found
    return f"{found}_own" if found in taken else found


def controls_of(factor: int, config: dict) -> dict[str, dict | None]:
    """The lossless controls on a grid, by name: None if config.yaml has it, else an entry like those there."""
    found: dict[str, dict | None] = {}
    for kind in ("pixel_unshuffle", "enciphered"):
        alike = {name: entry for name, entry in config["autoencoders"].items() if entry.get("class") == kind}
        if same := [name for name, entry in alike.items() if entry["factor"] == factor and "options" not in entry]:
            found[same[0]] = None
        elif alike:
            entry = next(iter(alike.values()))
            channels = 3 * factor**2 + entry["channels"] - 3 * entry["factor"] ** 2  # an enciphered one has a key too
            label = f"{kind.replace('_', ' ').capitalize()} {factor}"
            found[f"{kind}_{factor}"] = {
                "label": label, "role": "control", "class": kind, "channels": channels, "factor": factor
            }  # fmt: skip
    return found
