"""A study of remedies whose effects are planted: how many images of each class and fold every run gets right."""

import numpy as np
import pandas as pd

from learnability.significance.predictions import Images
from learnability.significance.remedies import remedies
from learnability.study.cells import cells
from learnability.study.remedies import remedy_rows
from tests.published import published

FOLDS, CLASSES, EACH = 5, 2, 80  # images of a class in a fold, each a group of its own
PLAIN = {"epochs": 1}
TUNED = {"images": "all_images", "steps": 1, "adversarial": None}
EQ = {"probability": 0.5, "scales": [0.25, 0.97], "turns": True, "reduced": 0.25}
RECIPES = ["matched", "whiten", "rotate", "low_pass_50", "low_pass_25", "behind_mid"]


def config_of(recipes=RECIPES, autoencoders=("sd14", "flux1", "sd14_ft", "sd14_eq"), datasets=("isic2019",)) -> dict:
    """The published study with these remedies alone."""
    tuned = {"label": "tuned", "role": "family", "base": "sd14"}
    entries = {
        "sd14_ft": tuned | {"label": "SD 1.4 tuned", "finetune": TUNED},
        "sd14_eq": tuned | {"label": "SD 1.4-EQ", "finetune": TUNED | {"equivariance": EQ}},
    }
    study = {"datasets": [*datasets], "autoencoders": [*autoencoders], "recipes": {"remedies": [*recipes]}}
    study["limited_to"] = {"table4": {"autoencoders": []}, "gap_decomposition": {"autoencoders": []}}
    return published(study=study, autoencoders=entries)


def runs_of(config: dict, share, seed=0) -> tuple[pd.DataFrame, dict[str, Images]]:
    """Metrics with `right`: of every class and fold the easiest `share(cell)` of the images, as this run sees them."""
    rng, images, rows = np.random.default_rng(seed), {}, []
    hard = rng.random((FOLDS, CLASSES * EACH))
    count = FOLDS * CLASSES * EACH
    for dataset in config["study"]["datasets"]:
        label, fold = np.arange(count) % CLASSES, np.arange(count) // (CLASSES * EACH)
        images[dataset] = Images(pd.Index(map(str, range(count))), label, fold, np.arange(count), FOLDS)
    for cell in cells(config, "remedies"):
        entry = config["autoencoders"].get(cell["autoencoder"], {"role": "baseline"})
        label, many = images[cell["dataset"]].label[: CLASSES * EACH], round(share(cell) * EACH)
        seen, right = hard[cell["fold"]] + rng.normal(0, 0.015, len(label)), np.zeros(len(label), dtype=bool)
        for k in range(CLASSES):
            own = np.flatnonzero(label == k)
            right[own[np.argsort(seen[own])[:many]]] = True
        scores = dict.fromkeys(("balanced_accuracy", "auc", "mcc"), many / EACH)
        gflop = {"decoder_blocks_gflop": 2.5} if cell["recipe"].startswith("behind") else {}
        sizes = {"n_test": len(label), "n_train": 3 * len(label), "device": "cpu", "role": entry["role"], **gflop}
        rows.append(cell | scores | sizes | {"right": right})
    return pd.DataFrame(rows), images


TUNED_SHARES = {"sd14": 0.6, "sd14_ft": 0.7, "sd14_eq": 0.75}


def by_tuning(cell: dict) -> float:
    """Fine-tuning closes a part of the gap of 30 points, towards equivariance a larger one; the control has no gap."""
    return TUNED_SHARES.get(cell["autoencoder"], 0.9) if cell["space"] == "latent" else 0.9


def half_by_whitening(cell: dict) -> float:
    """Whitening closes half of the families' gap of 30 points, and nothing of the control's 5; others do nothing."""
    if cell["space"] != "latent":
        return 0.9
    if cell["autoencoder"].startswith("pixel_unshuffle"):
        return 0.85
    return 0.75 if cell["recipe"] == "whiten" else 0.6


def planted(share=half_by_whitening, **study):
    """The metrics of such a study, its tests and rows."""
    config = config_of(**study)
    rows = remedy_rows(config)
    metrics, images = runs_of(config, share)
    return metrics, remedies(metrics, images, rows), rows
