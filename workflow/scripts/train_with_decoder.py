"""Train one classifier on what a decoder, or its first blocks, makes of latents batch by batch."""

from pathlib import Path

from learnability.workflow.jobs import choose_device, job, whole

with job(snakemake.log[0]):
    from learnability.autoencoders.decoding import decoder_of_run
    from learnability.classifiers.weights import pretrained_file
    from learnability.study.recipe import Recipe
    from learnability.training.engine import train_classifier
    from learnability.training.fold_data import Inputs

    params, files = snakemake.params, dict(snakemake.input.items())
    start = whole(params.pretrained, params.unrecorded_pretrained)
    entry = whole(params.autoencoder, params.unrecorded_autoencoder)
    device = choose_device(params.torch_threads)
    train_classifier(
        cell=params.cell,
        recipe=Recipe.from_values(params.recipe),
        seed=params.seed,
        n_splits=params.n_splits,
        code=params.code,
        inputs=Inputs.of_job(
            files,
            pretrained=start and pretrained_file(start, files.get("pretrained")),
            teacher_scale=params.teacher_scale,
            decode=decoder_of_run(
                params.cell["autoencoder"], entry, files, device, params.recipe.get("decoder_blocks")
            ),
        ),
        folder=Path(snakemake.output.predictions).parent,
        device=device,
    )
