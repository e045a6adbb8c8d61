"""Measure one row of Table 3: scores, samples per second and peak memory of one trained classifier."""

from pathlib import Path

from learnability.jobs import choose_device, job, whole

with job(snakemake.log[0]):
    from learnability.decoding import decoder_of_run
    from learnability.efficiency import measure_efficiency
    from learnability.fold_data import Inputs, load_fold
    from learnability.recipe import Recipe

    params, files = snakemake.params, dict(snakemake.input.items())
    device = choose_device(params.torch_threads)
    entry = whole(params.autoencoder, params.unrecorded_autoencoder)
    inputs = Inputs.of_job(files, decode=entry and decoder_of_run(entry, files, device))
    measure_efficiency(
        row=snakemake.wildcards.row,
        run=Path(files["metrics"]).parent,
        recipe=Recipe.from_values(params.recipe),
        data=load_fold(params.cell, params.n_splits, inputs, device, keep=False),
        device=device,
        out=Path(snakemake.output[0]),
        **params.measure,
    )
