"""The files of a study that nothing trained: drawn probabilities, and every card that tables and figures read."""

import numpy as np
import pandas as pd

from learnability.storage.contracts import file_digest, write_csv, write_json, write_parquet
from learnability.study.cells import all_cells
from learnability.study.encodings import encodings
from learnability.study.paths import run_file
from learnability.training.metrics import area_under_curve, balanced_accuracy, matthews_correlation

SIGNAL = {"image": 1.3, "reconstruction": 1.3, "latent": 0.9}  # of the true class, in standard deviations of the noise


def write_results(folder, config, groups=80, seed=0):
    """Write datasets, folds, encodings and runs of a study of phantoms; a third of the groups are of the last class."""
    rng, splits = np.random.default_rng(seed), config["study"]["n_splits"]
    for dataset in config["study"]["datasets"]:
        classes = sorted(config["datasets"][dataset]["groups"])
        group = np.repeat(np.arange(groups), rng.integers(1, 4, groups))
        label = np.minimum(group % (2 * len(classes)), len(classes) - 1)
        fold = group // 7 % splits
        ids = np.array([f"{dataset}{i:04}" for i in range(len(group))])
        place = folder / "datasets" / dataset
        names = np.array(classes)[label]
        write_parquet(
            frame(sample_id=ids, label=label, label_name=names, group=group.astype(str)), place / "samples.parquet"
        )
        shuffled = rng.permutation(len(ids))
        write_parquet(frame(sample_id=ids[shuffled], fold=fold[shuffled]), folder / f"folds/{dataset}.parquet")
        write_json(card_of(dataset, classes, label, group) | {
            "digest_samples": file_digest(place / "samples.parquet")}, place / "dataset.json")  # fmt: skip
        for name in [name for name in encodings(config) if name.startswith(f"{dataset}/")]:
            write_encoding(folder / "encodings" / name, config, name, ids, rng)
        for cell in [cell for cell in all_cells(config) if cell["dataset"] == dataset]:
            write_run(folder, config, cell, classes, (ids, label, fold), rng)


def frame(**columns):
    return pd.DataFrame(columns)


def card_of(dataset, classes, label, group):
    counts = {name: int((label == k).sum()) for k, name in enumerate(classes)}
    return {
        "dataset": dataset, "synthetic": True, "classes": classes, "positive": None, "images": len(label),
        "groups": len(np.unique(group)), "grouped": True, "grouped_by": "patient", "counts": counts,
        "imbalance_ratio": max(counts.values()) / min(counts.values()), "image_size": 64, "classifier_size": 32,
        "channels": 1, "bad_images": 0, "warnings": [], "published": None, "digest": "0" * 64, "subset": None,
    }  # fmt: skip


def write_encoding(place, config, name, ids, rng):
    dataset, autoencoder = name.split("/")
    fidelity = frame(sample_id=ids, psnr=rng.normal(30, 3, len(ids)), ssim=rng.uniform(0.8, 1, len(ids)))
    if config["autoencoders"][autoencoder]["role"] == "control":
        fidelity = fidelity.assign(psnr=np.inf, ssim=1.0)
    write_parquet(fidelity, place / "fidelity.parquet")
    entry = config["autoencoders"][autoencoder]
    identity = {"autoencoder": autoencoder, "role": entry["role"], "dataset": dataset, "class": entry["class"]}
    digest = {"digest_fidelity": file_digest(place / "fidelity.parquet")}
    write_json(identity | {"channels": 4, "factor": 8, "fold": None} | digest, place / "autoencoder.json")


def write_run(folder, config, cell, classes, images, rng):
    """Predictions in any order, as sharp as a network's, and their scores."""
    ids, label, fold = images
    k, splits = cell["fold"], config["study"]["n_splits"]
    kept = rng.permutation(np.flatnonzero(np.isin(fold, [k, (k + 1) % splits])))
    split = np.where(fold[kept] == k, "test", "validation")
    truth = np.eye(len(classes))[label[kept]]
    logit = rng.normal(size=(len(kept), len(classes))) + SIGNAL[cell["space"]] * truth
    odds = np.exp(2 * logit)
    probability = odds / odds.sum(axis=1, keepdims=True)
    path = folder / run_file(cell, "predictions.parquet")
    rows = pd.DataFrame(probability, columns=classes)
    rows = pd.concat([frame(sample_id=ids[kept], label=label[kept], split=split), rows], axis=1)
    write_parquet(rows, path)
    write_csv(frame(epoch=[1, 2], lr=[0.1, 0.1], train_loss=[1.0, 0.5], validation_balanced_accuracy=[0.4, 0.6]),
              path.with_name("history.csv"))  # fmt: skip
    test = split == "test"
    best = probability[test].argmax(axis=1)
    auc, used = area_under_curve(label[kept][test], probability[test])
    counts = {
        "n_train": int((fold >= 0).sum() - len(kept)),
        "n_validation": int((~test).sum()),
        "n_test": int(test.sum()),
    }
    role = "baseline" if cell["autoencoder"] == "original" else config["autoencoders"][cell["autoencoder"]]["role"]
    write_json(cell | counts | {
        "seed": k, "role": role, "balanced_accuracy": balanced_accuracy(label[kept][test], best), "auc": auc,
        "mcc": matthews_correlation(label[kept][test], best), "classes_used": used, "epochs": 2, "best_epoch": 2,
        "train_samples_per_second": 1.0, "train_peak_mb": 1.0, "device": "cpu", "n_train_groups": 10,
        "digest_predictions": file_digest(path), "digest_history": file_digest(path.with_name("history.csv")),
    }, path.with_name("metrics.json"))  # fmt: skip
