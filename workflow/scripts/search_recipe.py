"""Search values of a recipe on the training and validation rows of one fold."""

from pathlib import Path

from learnability.jobs import choose_device, job

with job(snakemake.log[0]):
    from learnability.contracts import digest, write_json
    from learnability.fold_data import load_fold
    from learnability.recipes import resolve_recipe
    from learnability.run_inputs import inputs_of_run
    from learnability.search import best, run_trials
    from learnability.search_space import with_values
    from learnability.training import try_recipe

    cell, recipe, params = snakemake.params.cell, snakemake.params.recipe, snakemake.params
    search = resolve_recipe(snakemake.config, cell["recipe"])["search"]
    device = choose_device(params.torch_threads)
    inputs = inputs_of_run(snakemake.config, cell, recipe, dict(snakemake.input.items()), device)
    data = load_fold(cell, params.n_splits, inputs, device)

    def objective(values, checkpoint):
        trial = with_values(recipe, values)
        return try_recipe(cell, trial, params.seed, params.n_splits, params.code, inputs, data, checkpoint)

    folder = Path(snakemake.output[0]).parent
    identity = digest([cell, recipe | {"search": search["space"]}, params.seed, params.n_splits, params.code, data.source, inputs.identity()])
    run_trials(folder, search, 1000 * params.seed, params.worker, objective, identity)
    write_json({"worker": params.worker} if params.worker else cell | best(folder, search, identity), snakemake.output[0])
