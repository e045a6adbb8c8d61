"""Measure one row of Table 3: scores, samples per second and peak memory of one trained classifier."""

from pathlib import Path

from learnability.jobs import choose_device, job

with job(snakemake.log[0]):
    from learnability.decoding import decoder_of_run
    from learnability.efficiency import measure_efficiency
    from learnability.fold_data import load_fold
    from learnability.recipe import Recipe
    from learnability.run_inputs import inputs_of_run

    cell, files, params = snakemake.params.cell, dict(snakemake.input.items()), snakemake.params
    device = choose_device(params.torch_threads)
    recipe = Recipe.from_values(params.recipe)
    on_the_fly = recipe.reconstructions == "on_the_fly"
    decode = decoder_of_run(snakemake.config, cell, files, device) if on_the_fly else None
    inputs = inputs_of_run(snakemake.config, recipe, files, decode)
    measure_efficiency(
        row=snakemake.wildcards.row,
        run=Path(files["metrics"]).parent,
        recipe=recipe,
        data=load_fold(cell, params.n_splits, inputs, device, keep=False),
        device=device,
        out=Path(snakemake.output[0]),
        **params.measure,
    )
