"""The tiny study of tests/studies/wet.yaml: its data set in a user's form, and checks of its files."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from learnability.datasets.source import open_source
from learnability.storage.contracts import read_json

STUDY = ("--configfile", "tests/studies/wet.yaml")
RESULTS = Path("results/wet")
PHANTOM = {
    "format": "phantom", "modality": "echo", "groups": {"normal": 12, "defect": 10}, "images_per_group": [1, 3],
    "size": 64, "seed": 3,
}  # fmt: skip


def write_clinic(folder: Path) -> Path:
    """Write a data set in the form in which a user has one: PNG files, and a CSV with label and patient."""
    source = open_source(PHANTOM)
    (folder / "png").mkdir(parents=True)
    for i, name in enumerate(source.samples["sample_id"]):
        Image.fromarray(source.read(i)[..., 0]).save(folder / "png" / f"{name}.png")
    columns = {"sample_id": "image", "label_name": "diagnosis", "group": "patient"}
    source.samples.rename(columns=columns).to_csv(folder / "labels.csv", index=False)
    return folder


def digest_of(results: Path) -> dict[str, bytes]:
    """The bytes of every file that must repeat."""
    patterns = ["tables/*", "significance/*", "figures/*"]
    # The history too, because the weights are of the best epoch, which may precede the stop of a training.
    patterns += [f"runs/**/{name}" for name in ("predictions.parquet", "model.safetensors", "history.csv")]
    paths = [path for pattern in patterns for path in results.glob(pattern)]
    return {str(path.relative_to(results)): path.read_bytes() for path in paths}


def assert_tuned_per_fold(results: Path, dataset: str, autoencoder: str) -> None:
    """Each fold must have its own weights, and an encoding of all images that is judged on its test images."""
    folds = pd.read_parquet(results / f"folds/{dataset}.parquet").set_index("sample_id")["fold"]
    scores, weights = [], set()
    for fold in (0, 1):
        name = f"{dataset}/{autoencoder}@fold{fold}"
        weights.add((results / "weights" / name / "diffusion_pytorch_model.safetensors").read_bytes())
        card = read_json(results / "encodings" / name / "autoencoder.json")
        assert (card["autoencoder"], card["fold"]) == (autoencoder, fold)
        fidelity = pd.read_parquet(results / "encodings" / name / "fidelity.parquet")
        assert set(fidelity["sample_id"]) == set(folds.index[folds == fold])
        assert len(np.load(results / "encodings" / name / "latents.npy", mmap_mode="r")) == len(folds)
        scores.append(fidelity["psnr"])
    assert len(weights) == 2
    for folder in ("weights", "encodings"):
        found = {path.name for path in (results / folder / dataset).glob(f"{autoencoder}*")}
        assert found == {f"{autoencoder}@fold0", f"{autoencoder}@fold1"}
    table = pd.read_csv(results / "tables/table2.csv").set_index(["autoencoder", "metric"]).loc[autoencoder, "psnr"]
    assert table["n"] == int((folds < 2).sum())
    assert np.isclose(table["mean"], pd.concat(scores).mean(), rtol=1e-12)
