# The memory and minutes that jobs ask for, from their recipe and the size of the array that they read; more at every
# attempt.
from learnability.workflow.job_sizes import (
    array_of_space,
    images_of,
    megabytes_of_run,
    minutes_of_encoding,
    minutes_of_finetuning,
    minutes_of_packing,
    minutes_of_search,
    minutes_of_training,
    packed,
)
from learnability.study.recipes import resolve_recipe


def array_read(wildcards, input):
    """The packed array that a run reads, as far as it is known."""
    cell = cell_of(wildcards)
    # Reconstructions on the fly are made of latents, and as large as if they were stored.
    return array_of_space(config, cell["dataset"], cell["space"], cell["autoencoder"], input.array)


def memory_of_run(wildcards, input, attempt):
    return attempt * megabytes_of_run(array_read(wildcards, input))


def runtime_of_training(wildcards, input, attempt):
    return attempt * minutes_of_training(resolve_recipe(config, wildcards.recipe), array_read(wildcards, input))


def runtime_of_search(wildcards, input, attempt):
    return attempt * minutes_of_search(resolve_recipe(config, wildcards.recipe), array_read(wildcards, input))


def runtime_of_packing(wildcards, attempt):
    return attempt * minutes_of_packing(images_of(config["datasets"][wildcards.dataset]))


def runtime_of_encoding(wildcards, input, attempt):
    size, images = config["image_size"], images_of(config["datasets"][wildcards.dataset])
    return attempt * minutes_of_encoding(packed(input.images, size, 3 * size**2, images))


def runtime_of_finetuning(wildcards, attempt):
    settings = config["autoencoders"][wildcards.autoencoder]["finetune"]
    return attempt * minutes_of_finetuning(settings, config["image_size"])


def scaled(value):
    """A request that grows with every attempt."""
    return lambda wildcards, attempt: attempt * value
