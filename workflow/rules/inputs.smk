# Input functions of the rules: what a job reads, by its wildcards.
from learnability.storage.contracts import CELL
from learnability.study.encodings import BACKBONE, tuned_per_fold, uses_lpips


def cell_of(wildcards):
    """What a run is: its wildcards as they are, the fold a number; the path says its space.

    A row of Table 3 is of the run that the study names.
    """
    if "row" in wildcards.keys():
        return efficiency_run(config, wildcards.row)
    named = {key: wildcards[key] for key in CELL if key in wildcards.keys()}
    space = paths.space_of_job(dict(wildcards.items()))
    return {"space": space} | named | {"fold": int(wildcards.fold)}


def files_of(find, cell, *more):
    """What a function of study/paths.py says that a run reads."""
    return in_results(as_workflow_error(find, config, fetched(), cell, *more))


def files_of_training(wildcards):
    return files_of(paths.files_of_run, cell_of(wildcards))


def files_of_search(wildcards):
    return files_of(paths.files_of_run, cell_of(wildcards), True)


def files_of_trained_run(wildcards):
    """What the classifier of a run is applied to, and the classifier."""
    cell = cell_of(wildcards)
    return files_of(paths.array_of_run, cell) | in_results(paths.model_of_run(cell))


def files_of_pair(wildcards):
    """Both arrays of a dataset, and both classifiers of a recipe."""
    return files_of(paths.files_across, cell_of(wildcards))


def files_of_efficiency(wildcards):
    """What the classifier of a row of Table 3 is measured on, and the classifier."""
    cell = cell_of(wildcards)
    if (cell["dataset"], cell["autoencoder"]) != (wildcards.dataset, wildcards.autoencoder):
        raise WorkflowError("Table 3 is of the dataset and autoencoder that study.efficiency names")
    metrics = in_results(paths.run_file(cell, "metrics.json"))
    return files_of_trained_run(wildcards) | {"folds": f"<results>/folds/{cell['dataset']}.parquet", "metrics": metrics}


def other_workers(wildcards):
    """What the further jobs of a search leave, where it has several workers."""
    workers = resolve_recipe(config, wildcards.recipe).search.workers
    return collect(f"{SEARCH}/worker{{worker}}.json", worker=range(1, workers), **wildcards)


def autoencoder_weights(wildcards):
    """The weights that the workflow itself brings or makes, as an input of the encoding."""
    suffix = wildcards.get("of_fold", "")
    names = wildcards.dataset, wildcards.autoencoder
    return in_results(paths.weights_of_autoencoder(config, fetched(), *names, suffix))


def teacher_files(wildcards):
    """What latents are compared with: weights of the study's teacher, and the images that it sees; nothing without one."""
    if not (name := diagnostics_of_study()["teacher"]):
        return {}
    small = {"small": paths.dataset_file(wildcards.dataset, "images_small.npy")}
    return in_results(paths.fetched_weights(fetched(), name, "teacher") | small)


def base_weights(wildcards):
    """What fine-tuning starts from, and what its perceptual term compares features of."""
    entry = config["autoencoders"][wildcards.autoencoder]
    backbone = paths.fetched_weights(fetched(), BACKBONE, "backbone") if uses_lpips(entry) else {}
    return in_results(paths.fetched_weights(fetched(), entry["base"]) | backbone)


def fold_rows(wildcards):
    """What says which rows a fold trains and tests on, as an input of what is fine-tuned for one fold."""
    if bool(wildcards.of_fold) != tuned_per_fold(config, wildcards.autoencoder):
        raise WorkflowError(
            f"{wildcards.autoencoder}{wildcards.of_fold}: `@fold` goes with finetune.images train_rows_per_fold, "
            "and only with it"
        )
    return {"folds": f"<results>/folds/{wildcards.dataset}.parquet"} if wildcards.of_fold else {}


def fold_split(wildcards):
    """The fold that weights and encodings belong to; None where they serve all folds."""
    if not wildcards.of_fold:
        return None
    return {"fold": int(wildcards.of_fold.removeprefix("@fold")), "n_splits": config["study"]["n_splits"]}
