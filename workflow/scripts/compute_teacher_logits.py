"""Logits of a trained run on the training rows of its fold, for the students that it teaches."""

from pathlib import Path

from learnability.workflow.jobs import choose_device, job

with job(snakemake.log[0]):
    from learnability.training.fold_data import Inputs
    from learnability.training.teacher import write_teacher_logits

    params, files = snakemake.params, dict(snakemake.input.items())
    write_teacher_logits(
        run=Path(files["model"]).parent,
        cell=params.cell,
        n_splits=params.n_splits,
        inputs=Inputs.of_job(files),
        device=choose_device(params.torch_threads),
        path=Path(snakemake.output.logits),
    )
