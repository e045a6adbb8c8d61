"""Search values of a recipe on the training and validation rows of one fold."""

from pathlib import Path

from learnability.jobs import choose_device, job

with job(snakemake.log[0]):
    from learnability.contracts import write_json
    from learnability.recipes import resolve_recipe
    from learnability.run_inputs import inputs_of_run
    from learnability.tuning import search_recipe

    cell, params = snakemake.params.cell, snakemake.params
    recipe = resolve_recipe(snakemake.config, cell["recipe"])  # with the workers, which are no param: they share trials
    device = choose_device(params.torch_threads)
    found = search_recipe(
        cell=cell,
        recipe=recipe,
        seed=params.seed,
        n_splits=params.n_splits,
        code=params.code,
        inputs=inputs_of_run(snakemake.config, recipe, dict(snakemake.input.items())),
        folder=Path(snakemake.output[0]).parent,
        worker=params.worker,
        device=device,
    )
    write_json(found, snakemake.output[0])
