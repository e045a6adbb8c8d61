"""Fine-tune one autoencoder on the images of one dataset."""

from pathlib import Path

from learnability.jobs import choose_device, job

with job(snakemake.log[0]):
    from learnability.autoencoders.finetuning import finetune_autoencoder
    from learnability.classifiers.weights import pretrained_file
    from learnability.study import BACKBONE, resolve_autoencoder, uses_lpips

    entry = resolve_autoencoder(snakemake.config, snakemake.wildcards.autoencoder)
    if weights := snakemake.input.get("weights"):  # of the base, fetched by the workflow
        entry = entry | {"folder": str(Path(weights).parent)}
    backbone = None
    if uses_lpips(entry):
        backbone = pretrained_file(snakemake.config["pretrained"][BACKBONE], fetched=snakemake.input.get("backbone"))
    finetune_autoencoder(
        entry=entry,
        dataset=Path(snakemake.input.images).parent,
        seed=snakemake.params.seed,
        code=snakemake.params.code,
        folder=Path(snakemake.output.weights).parent,
        folds=snakemake.input.get("folds"),
        split=snakemake.params.split,
        backbone=backbone,
        device=choose_device(snakemake.params.torch_threads),
    )
