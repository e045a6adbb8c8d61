"""Scores of one latent classifier over the noise level of its input."""

from pathlib import Path

from learnability.jobs import choose_device, job

with job(snakemake.log[0]):
    from learnability.classifiers.saved import load_classifier
    from learnability.contracts import write_parquet
    from learnability.evaluation import noise_curve
    from learnability.fold_data import load_fold
    from learnability.recipe import Recipe
    from learnability.run_inputs import inputs_of_run

    cell, files, params = snakemake.params.cell, dict(snakemake.input.items()), snakemake.params
    device = choose_device(params.torch_threads)
    data = load_fold(
        cell, params.n_splits, inputs_of_run(snakemake.config, Recipe.from_values(params.recipe), files), device
    )
    model = load_classifier(Path(files["model"]).parent, device)
    curve = noise_curve(model, data, params.seed)
    write_parquet(curve.assign(**cell), snakemake.output[0])
