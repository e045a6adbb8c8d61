"""Fine-tune one autoencoder on the images of one dataset."""

from pathlib import Path

from learnability.jobs import choose_device, job

with job(snakemake.log[0]):
    from learnability.autoencoders.finetuning import finetune_autoencoder
    from learnability.study import resolve_autoencoder

    finetune_autoencoder(
        entry=resolve_autoencoder(snakemake.config, snakemake.wildcards.autoencoder),
        dataset=Path(snakemake.input.images).parent,
        seed=snakemake.params.seed,
        code=snakemake.params.code,
        folder=Path(snakemake.output.weights).parent,
        folds=snakemake.input.get("folds"),
        split=snakemake.params.split,
        device=choose_device(snakemake.params.torch_threads),
    )
