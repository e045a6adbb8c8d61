"""Fine-tune one autoencoder on the images of one dataset."""

from pathlib import Path

from learnability.workflow.jobs import choose_device, job, whole

with job(snakemake.log[0]):
    from learnability.autoencoders.finetuning.tuning import finetune_autoencoder
    from learnability.classifiers.weights import pretrained_file

    params = snakemake.params
    entry = whole(params.entry, params.unrecorded, snakemake.input.get("weights"))
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
