"""Scores of one latent classifier over the noise level of its input."""

from pathlib import Path

from learnability.workflow.jobs import choose_device, job

with job(snakemake.log[0]):
    from learnability.storage.contracts import write_parquet
    from learnability.training.evaluation import trace_noise_curve
    from learnability.training.fold_data import Inputs

    params, files = snakemake.params, dict(snakemake.input.items())
    curve = trace_noise_curve(
        run=Path(files["model"]).parent,
        cell=params.cell,
        n_splits=params.n_splits,
        inputs=Inputs.of_job(files),
        device=choose_device(params.torch_threads),
        seed=params.seed,
    )
    write_parquet(curve, snakemake.output[0])
