"""Make the weights of one tiny stand-in autoencoder again."""

from pathlib import Path

from learnability.workflow.jobs import choose_device, job

with job(snakemake.log[0]):
    from learnability.autoencoders.tiny import train_tiny

    choose_device(snakemake.params.torch_threads)
    train_tiny(
        name=snakemake.wildcards.autoencoder,
        folder=Path(snakemake.output.weights).parent,
        steps=snakemake.params.steps,
        seed=snakemake.params.seed,
    )
