"""Fine-tune one autoencoder on the images of one dataset."""

from pathlib import Path

from learnability.jobs import choose_device, job, whole

with job(snakemake.log[0]):
    from learnability.autoencoders.finetuning import finetune_autoencoder
    from learnability.classifiers.weights import pretrained_file

    params, entry = snakemake.params, whole(snakemake.params.entry, snakemake.params.unrecorded)
    if weights := snakemake.input.get("weights"):  # of the base, fetched by the workflow
        entry["folder"] = str(Path(weights).parent)
    features = whole(params.backbone, params.unrecorded_backbone)
    finetune_autoencoder(
        entry=entry,
        dataset=Path(snakemake.input.images).parent,
        seed=params.seed,
        code=params.code,
        folder=Path(snakemake.output.weights).parent,
        folds=snakemake.input.get("folds"),
        split=params.split,
        backbone=features and pretrained_file(features, snakemake.input.get("backbone")),
        device=choose_device(params.torch_threads),
    )
