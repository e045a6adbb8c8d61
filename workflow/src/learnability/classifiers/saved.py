"""A trained classifier, opened for use: `from learnability import load_classifier`."""

from pathlib import Path

import torch

from ..errors import InputError
from ..storage.contracts import read_json, refuse_damaged
from .classifier import Classifier, build_classifier
from .weights import FILE, load_weights, read_weights


def load_classifier(folder: str | Path, device: str | torch.device = "cpu") -> Classifier:
    """Open the classifier of a run's folder (model.safetensors and model.json), in evaluation mode.

    classifier(z, sigma) -> logits (N, K), whose order of classes is `classifier.classes`. A latent classifier takes
    *raw* latents z (N, C, h, w), as the autoencoder's encoder gives them (posterior mode, no scaling factor, shift or
    packing), and normalises inside; one of image or reconstruction space takes RGB in 0..255. `sigma` is the noise
    level (see Classifier); leave it out for clean input.

    It is the classifier of one fold k, model.json's `fold`: trained on the rows outside folds k and (k+1) mod
    n_splits, stopped on fold (k+1) mod n_splits, never shown fold k. Scores on images of its dataset are fair on
    fold k alone; for images from elsewhere any fold serves, and the mean over folds is steadier.

    Raises InputError where a file is missing or does not belong to the other, and for a classifier behind a part of a
    decoder (model.json's `decoder_blocks`).
    """
    card = Path(folder) / "model.json"
    if not card.is_file():
        raise InputError(f"{card} does not exist; expected the folder of a trained classifier, runs/…/fold<k>")
    description, weights = read_json(card), read_weights(card.with_name(FILE))
    if blocks := description.get("decoder_blocks"):
        raise InputError(
            f"{card}: this classifier reads no latents but what the decoder of {description['autoencoder']} makes of "
            f"them up to its block {blocks}, which is not in the file; open a run whose recipe has no decoder_blocks"
        )
    refuse_damaged(card.with_name(FILE), description)
    with torch.random.fork_rng(devices=[]):  # the user's random numbers are left as they are
        try:
            classifier = build_classifier(description)
        except KeyError as error:
            raise InputError(f"{card}: not the card of a classifier ({error!r}); train it again") from error
    if misfits := load_weights(classifier, weights):
        raise InputError(
            f"{card.with_name(FILE)}: not the weights of the classifier that {card.name} describes ({misfits}); take "
            "both files from one run"
        )
    return classifier.to(device, memory_format=torch.channels_last).eval()


def load_start(classifier: Classifier, file: Path) -> None:
    """Give a classifier the weights of another run; conditioning that the other did not have stays fresh."""
    fresh = tuple(name for name, _ in classifier.named_modules() if name.split(".")[0] == "film")
    weights = read_weights(file)
    refuse_damaged(file, read_json(file.with_name("model.json")))
    has_film = any(key.startswith("film.") for key in weights)
    if misfits := load_weights(classifier, weights, () if has_film else fresh):
        raise InputError(f"{file}: not weights of the same network ({misfits}); give both recipes one model")
