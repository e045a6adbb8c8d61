"""Train one classifier on one fold of one space."""

from pathlib import Path

from learnability.jobs import choose_device, job, whole

with job(snakemake.log[0]):
    from learnability.classifiers.weights import pretrained_file
    from learnability.contracts import read_json
    from learnability.fold_data import Inputs
    from learnability.recipe import Recipe
    from learnability.training import train_classifier

    params, files = snakemake.params, dict(snakemake.input.items())
    recipe, start = Recipe.from_values(params.recipe), whole(params.pretrained, params.unrecorded_pretrained)
    if "best" in files:  # what its search found
        recipe = recipe.with_values(read_json(files["best"])["values"])
    train_classifier(
        cell=params.cell,
        recipe=recipe,
        seed=params.seed,
        n_splits=params.n_splits,
        code=params.code,
        inputs=Inputs.of_job(
            files,
            pretrained=start and pretrained_file(start, files.get("pretrained")),
            teacher_scale=params.teacher_scale,
        ),
        folder=Path(snakemake.output.predictions).parent,
        device=choose_device(params.torch_threads),
    )
