"""A small study on disk, with predictions and groups of images, in the form that the tests over groups read."""

import numpy as np
import pandas as pd
from sklearn.metrics import balanced_accuracy_score

from learnability.significance.predictions import Images, read_images
from learnability.storage.contracts import write_parquet

CLASSES = ["a", "b", "c"]
FAMILIES = ("sd14", "flux1", "medvae_ft")
AGREES = {"image": 0.7, "reconstruction": 0.7, "latent": 0.4}


def write_study(folder, datasets=("isic2019", "cardium"), folds=range(5), seed=0):
    """Write predictions, samples and folds of a study into `folder`; return its metrics with paths, and its images."""
    rng, rows, paths, images = np.random.default_rng(seed), [], [], {}
    for dataset in datasets:
        group = np.repeat(np.arange(40), rng.integers(1, 5, 40))
        ids = [f"{dataset}{i}" for i in range(len(group))]
        label = rng.integers(0, 3, len(group))
        names = [CLASSES[k] for k in label]
        samples = pd.DataFrame({"sample_id": ids, "label": label, "label_name": names, "group": group.astype(str)})
        write_parquet(samples, folder / f"{dataset}_samples.parquet")
        fold = pd.DataFrame({"sample_id": ids, "fold": group % 5})
        write_parquet(fold.sample(frac=1, random_state=1), folder / f"{dataset}_folds.parquet")
        images[dataset] = read_images(folder / f"{dataset}_samples.parquet", folder / f"{dataset}_folds.parquet", 5)
        for autoencoder in ("original", *FAMILIES, "pixel_unshuffle_8"):
            for space in ["image"] if autoencoder == "original" else ["latent", "reconstruction"]:
                for k in folds:
                    path = folder / f"{dataset}_{space}_{autoencoder}_{k}.parquet"
                    rows.append(run(rng, path, samples, group % 5, k) | {
                        "dataset": dataset, "autoencoder": autoencoder, "space": space, "role": role_of(autoencoder),
                        "recipe": "latent" if space == "latent" else "image",
                    })  # fmt: skip
                    paths.append(path)
    return pd.DataFrame(rows), paths, images


def role_of(autoencoder):
    return {"original": "baseline", "pixel_unshuffle_8": "control"}.get(autoencoder, "family")


def run(rng, path, samples, fold, k):
    """Write predictions of the validation and test rows in any order; return their scores."""
    part = samples.assign(split=np.where(fold == k, "test", "validation"))[np.isin(fold, [k, (k + 1) % 5])]
    part = part.sample(frac=1, random_state=k)[["sample_id", "label", "split"]].reset_index(drop=True)
    space = path.stem.split("_")[1]
    right = rng.random(len(part)) < AGREES.get(space, 0.5)
    predicted = np.where(right, part["label"], (part["label"] + 1) % 3)
    part[CLASSES] = np.where(np.arange(3) == predicted[:, None], 0.5, 0.25)
    write_parquet(part, path)
    test = part["split"] == "test"
    score = balanced_accuracy_score(part["label"][test], predicted[test])
    return {"fold": k, "balanced_accuracy": score, "auc": 0.5, "mcc": 0.1, "n_test": test.sum(), "n_train": 60}


def answered(metrics, seed=0):
    """The same runs with drawn answers for the test images, and the scores of these; also the images.

    A dataset has 60 groups of three classes in five folds; how many answers are right depends on the run.
    """
    rng, images = np.random.default_rng(seed), {}
    for dataset in metrics["dataset"].unique():
        group = np.repeat(np.arange(60), 3)
        label = rng.integers(0, 3, len(group))
        ids = pd.Index([f"{dataset}{i}" for i in range(len(group))])
        images[dataset] = Images(ids, label, group % 5, group, 5)
    right, scores = [], []
    for dataset, fold in zip(metrics["dataset"], metrics["fold"], strict=True):
        label = images[dataset].label[images[dataset].fold == fold]
        right.append(rng.random(len(label)) < rng.uniform(0.4, 0.9))
        scores.append(balanced_accuracy_score(label, np.where(right[-1], label, (label + 1) % 3)))
    return metrics.assign(balanced_accuracy=scores, right=pd.Series(right, index=metrics.index)), images
