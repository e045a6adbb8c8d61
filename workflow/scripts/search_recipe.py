"""Search values of a recipe on the training and validation rows of one fold."""

from pathlib import Path

from learnability.jobs import choose_device, job, whole

with job(snakemake.log[0]):
    from learnability.classifiers.weights import pretrained_file
    from learnability.contracts import write_json
    from learnability.fold_data import Inputs
    from learnability.recipe import Recipe
    from learnability.tuning import search_recipe

    params, files = snakemake.params, dict(snakemake.input.items())
    start = whole(params.pretrained, params.unrecorded_pretrained)
    found = search_recipe(
        cell=params.cell,
        recipe=Recipe.from_values(params.recipe).with_values({"search.workers": params.workers}),
        seed=params.seed,
        n_splits=params.n_splits,
        code=params.code,
        inputs=Inputs.of_job(
            files,
            pretrained=start and pretrained_file(start, files.get("pretrained")),
            teacher_scale=params.teacher_scale,
        ),
        folder=Path(snakemake.output[0]).parent,
        worker=params.worker,
        device=choose_device(params.torch_threads),
    )
    write_json(found, snakemake.output[0])
