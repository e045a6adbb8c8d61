"""Where the weights of an autoencoder of any class are; checks ask this before a job loads them."""

from pathlib import Path

from . import diffusers_weights, medvae_weights, own_class


def weight_files(entry: dict) -> list[str]:
    """The files of an entry below its source; none for an own class, which reads its folder itself."""
    return [] if ":" in entry["class"] else kind_of(entry).weight_files(entry)


def missing_weights(entry: dict) -> str | None:
    """Say why an entry's weights are not available in a folder or cannot fit, and what to do; or None."""
    return kind_of(entry).missing_weights(entry)


def wrong_layout(entry: dict) -> str | None:
    """Report an entry whose latent differs from its weights; only MedVAE's layout is known before reading them."""
    return medvae_weights.wrong_layout(entry) if entry["class"] == "MedVAE" else None


def takes_no_images(entry: dict) -> str | None:
    """Report a diffusers class for audio or video, before its weights are fetched; else None."""
    if kind_of(entry) is not diffusers_weights:
        return None
    import diffusers
    import torch

    from .diffusers_family import OF_IMAGES, what_it_takes

    try:
        with torch.device("meta"):
            found = what_it_takes(getattr(diffusers, entry["class"])())
    except Exception:  # a class without defaults; its weights will tell
        return None
    # The number of channels is in the configuration, which is not at hand.
    return f"{entry['class']} takes {found}, not images; {OF_IMAGES}" if found in ("audio", "video") else None


def weights_digest(entry: dict) -> str:
    """Digest of an entry's weights, wherever they are; for an own class, of all that it may read."""
    return card_digests(entry)["weights_digest"]


def card_digests(entry: dict) -> dict[str, str]:
    """What autoencoder.json says of the files read: `weights_digest`, and `config_digest` for diffusers."""
    return kind_of(entry).card_digests(entry)


def files_read(entry: dict) -> dict[str, Path]:
    """Every file that decides what an entry's autoencoder computes, by a name that is no path of this machine."""
    return kind_of(entry).files_read(entry)


def kind_of(entry: dict):
    """The module that handles the weights of this class."""
    if ":" in entry["class"]:
        return own_class
    return medvae_weights if entry["class"] == "MedVAE" else diffusers_weights
