# The memory and minutes that jobs request, from their work and the size of the array that they read. Every further
# attempt requests more.
from learnability.study.array_sizes import ArraySize
from learnability.workflow.job_requests import (
    array_read,
    images_of,
    megabytes_of_features,
    megabytes_of_run,
    minutes_of_job,
)


def memory_of_run(wildcards, input, attempt):
    # Reconstructions on the fly are made from latents, and are as large as stored ones.
    cell = cell_of(wildcards)
    copies = recipe_of(wildcards).views.copies if "views" in input.keys() else 0
    return attempt * megabytes_of_run(config, cell, array_read(config, cell, input.array).images, copies)


def runtime_of_classifier(rule):
    """The minutes of a rule that goes over the array of a run."""

    def minutes(wildcards, input, attempt):
        params = {"recipe": recipe_of(wildcards)} | {key: config[key] for key in ("image_size", "classifier_size")}
        params["n_splits"] = config["study"]["n_splits"]
        return attempt * minutes_of_job(rule, params, array_read(config, cell_of(wildcards), input.array))

    return minutes


def memory_with_decoder(wildcards, input, attempt):
    features = megabytes_of_features(config, recipe_of(wildcards))
    return memory_of_run(wildcards, input, attempt) + attempt * features


def runtime_on_images(rule, find):
    """The minutes of a rule that goes over all images of a dataset; `find` gives the entry that it is about."""

    def minutes(wildcards, attempt):
        packed = Path(config["results"], paths.dataset_file(wildcards.dataset, "images.npy"))
        images = images_of(config["datasets"][wildcards.dataset], packed)
        array = ArraySize(images, 3, config["image_size"])
        params = {"entry": find(wildcards), "copies": int(wildcards.get("copies", 1))}
        return attempt * minutes_of_job(rule, params, array)

    return minutes


def scaled(value):
    """A request that grows with every attempt."""
    return lambda wildcards, attempt: attempt * value
