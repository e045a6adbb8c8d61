"""Measure one row of Table 3: scores, samples per second and peak memory of one trained classifier."""

from pathlib import Path

from learnability.workflow.jobs import choose_device, job, whole

with job(snakemake.log[0]):
    from learnability.autoencoders.decoding import decoder_of_run
    from learnability.efficiency.measure import measure_efficiency
    from learnability.study.recipe import Recipe
    from learnability.training.fold_data import Inputs, load_fold

    params, files = snakemake.params, dict(snakemake.input.items())
    device = choose_device(params.torch_threads, alone=True)  # others would change its speed and memory
    entry = whole(params.autoencoder, params.unrecorded_autoencoder)
    inputs = Inputs.of_job(files, decode=entry and decoder_of_run(params.cell["autoencoder"], entry, files, device))
    measure_efficiency(
        row=snakemake.wildcards.row,
        run=Path(files["metrics"]).parent,
        recipe=Recipe.from_values(params.recipe),
        data=load_fold(params.cell, params.n_splits, inputs, device, keep=False, compare=False),
        device=device,
        out=Path(snakemake.output[0]),
        **params.measure,
    )
