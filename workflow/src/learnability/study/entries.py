"""Entries of datasets, autoencoders and pretrained weights: which of their values decide a result."""

from .sources import is_folder

# Facts of the machine or of the presentation: a job may use them, but changing them changes no result.
UNRECORDED = {"root", "label", "max_bad_images", "licence", "gated", "shareable"}


def recorded(entry: dict) -> dict:
    """The values that results depend on: as parameters of a job they run it again when they change."""
    kept = {key: value for key, value in entry.items() if key not in UNRECORDED}
    if is_folder(kept.get("source", "")):
        del kept["source"]
    return kept


def unrecorded(entry: dict) -> dict:
    """The other values, folders of data and weights among them: with `recorded` they are the whole entry."""
    return {key: value for key, value in entry.items() if key not in recorded(entry)}


def as_encoder(entry: dict) -> dict:
    """The resolved entry of an autoencoder as it encodes: a fine-tuned one is in diffusers format, whatever it was."""
    if "finetune" not in entry:
        return entry
    kept = {key: value for key, value in entry.items() if key not in ("base", "finetune", "subfolder", "variant")}
    kind = "AutoencoderKL" if entry["class"] == "MedVAE" else entry["class"]
    return kept | {"class": kind, "source": f"{entry['source']}, fine-tuned"}
