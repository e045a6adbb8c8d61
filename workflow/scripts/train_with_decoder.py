"""Train one classifier on reconstructions that are decoded from latents batch by batch."""

from pathlib import Path

from learnability.jobs import choose_device, job

with job(snakemake.log[0]):
    from learnability.decoding import decoder_of_run
    from learnability.recipe import Recipe
    from learnability.run_inputs import inputs_of_run
    from learnability.training import train_classifier

    cell, files = snakemake.params.cell, dict(snakemake.input.items())
    recipe = Recipe.from_values(snakemake.params.recipe)
    device = choose_device(snakemake.params.torch_threads)
    decode = decoder_of_run(snakemake.config, cell, files, device)
    train_classifier(
        cell=cell,
        recipe=recipe,
        seed=snakemake.params.seed,
        n_splits=snakemake.params.n_splits,
        code=snakemake.params.code,
        inputs=inputs_of_run(snakemake.config, recipe, files, decode),
        folder=Path(snakemake.output.predictions).parent,
        device=device,
    )
