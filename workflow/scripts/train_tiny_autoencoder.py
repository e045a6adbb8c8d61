"""Make the weights of one tiny stand-in autoencoder again."""

from pathlib import Path

import torch

from learnability.autoencoders.tiny import train_tiny

torch.set_num_threads(snakemake.threads)
train_tiny(
    name=snakemake.wildcards.autoencoder,
    folder=Path(snakemake.output[0]).parent,
    steps=snakemake.params.steps,
    seed=snakemake.params.seed,
)
