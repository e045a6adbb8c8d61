"""A real fine-tuning for each of two folds, through Snakemake; each encoding is judged on its own test images."""

import json

import numpy as np
import pandas as pd

from tests.conftest import copy_checkout, job_counts, snakemake

STUDY = """
study: {datasets: [second], autoencoders: [tiny_sd14_ft]}
autoencoders:
  tiny_sd14_ft:
    label: Tuned
    role: family
    base: tiny_sd14
    finetune:
      images: train_rows_per_fold
      steps: 4
      batch_size: 2
      lr: 1.0e-4
      kl_weight: 1.0e-6
      perceptual: none
      adversarial: {start: 1, weight: 0.5, lr: 1.0e-4}
      checkpoint_every: 3
"""


def test_each_fold_has_weights_of_its_own_and_table_2_covers_its_test_images(tmp_path):
    folder = copy_checkout(tmp_path / "checkout")
    (folder / "per_fold.yaml").write_text(STUDY)
    arguments = ("--configfile", "tests/studies/wet.yaml", "per_fold.yaml", "--", "table2")
    counts = job_counts(snakemake("-n", *arguments, folder=folder))
    assert (counts["finetune_autoencoder"], counts["encode_dataset"]) == (2, 2)
    snakemake("--cores", "2", *arguments, folder=folder)
    results = folder / "results" / "wet"
    folds = pd.read_parquet(results / "folds/second.parquet").set_index("sample_id")["fold"]
    scores, weights = [], set()
    for fold in (0, 1):
        name = f"second/tiny_sd14_ft@fold{fold}"
        weights.add((results / "weights" / name / "diffusion_pytorch_model.safetensors").read_bytes())
        card = json.loads((results / "encodings" / name / "autoencoder.json").read_text())
        assert (card["autoencoder"], card["fold"]) == ("tiny_sd14_ft", fold)
        fidelity = pd.read_parquet(results / "encodings" / name / "fidelity.parquet")
        assert set(fidelity["sample_id"]) == set(folds.index[folds == fold])
        assert len(np.load(results / "encodings" / name / "latents.npy", mmap_mode="r")) == len(folds)
        scores.append(fidelity["psnr"])
    assert len(weights) == 2
    table = pd.read_csv(results / "tables/table2.csv").set_index("metric").loc["psnr"]
    assert (table["autoencoder"], table["n"]) == ("tiny_sd14_ft", int((folds < 2).sum()))
    assert np.isclose(table["mean"], pd.concat(scores).mean(), rtol=1e-12)
    assert "Tuned: fine-tuned for each fold on its training images alone" in (results / "tables/table2.md").read_text()
