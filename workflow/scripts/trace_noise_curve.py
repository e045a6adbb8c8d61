"""Scores of one latent classifier over the noise level of its input."""

from pathlib import Path

from learnability.jobs import choose_device, job

with job(snakemake.log[0]):
    from learnability.classifiers.saved import load_classifier
    from learnability.contracts import write_parquet
    from learnability.evaluation import noise_curve
    from learnability.fold_data import Inputs, load_fold

    params, files = snakemake.params, dict(snakemake.input.items())
    device = choose_device(params.torch_threads)
    data = load_fold(params.cell, params.n_splits, Inputs.of_job(files), device)
    curve = noise_curve(load_classifier(Path(files["model"]).parent, device), data, params.seed)
    write_parquet(curve.assign(**params.cell), snakemake.output[0])
