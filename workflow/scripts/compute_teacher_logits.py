"""Logits of a trained run on the training rows of its fold, for the students that it teaches."""

from pathlib import Path

from learnability.jobs import choose_device, job

with job(snakemake.log[0]):
    from learnability.recipe import Recipe
    from learnability.run_inputs import inputs_of_run
    from learnability.teacher import write_teacher_logits

    cell, files, params = snakemake.params.cell, dict(snakemake.input.items()), snakemake.params
    device = choose_device(params.torch_threads)
    inputs = inputs_of_run(snakemake.config, Recipe.from_values(params.recipe), files)
    write_teacher_logits(Path(files["model"]).parent, params.n_splits, inputs, device, Path(snakemake.output[0]))
