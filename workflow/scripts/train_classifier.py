"""Train one classifier on one fold of one space."""

from pathlib import Path

from learnability.jobs import choose_device, job

with job(snakemake.log[0]):
    from learnability.recipe import Recipe
    from learnability.run_inputs import inputs_of_run, searched
    from learnability.training import train_classifier

    cell, files = snakemake.params.cell, dict(snakemake.input.items())
    recipe = searched(Recipe.from_values(snakemake.params.recipe), files)
    device = choose_device(snakemake.params.torch_threads)
    train_classifier(
        cell=cell,
        recipe=recipe,
        seed=snakemake.params.seed,
        n_splits=snakemake.params.n_splits,
        code=snakemake.params.code,
        inputs=inputs_of_run(snakemake.config, recipe, files),
        folder=Path(snakemake.output.predictions).parent,
        device=device,
    )
