# Helper functions of the rules; what needs no Snakemake is in the package.
import re
from pathlib import Path

from learnability.autoencoders.own_class import find_module
from learnability.configuration import find_shipped_weights
from learnability.contracts import InputError, file_digest
from learnability.hub import weights_to_fetch
from learnability.provenance import code_digest
from learnability.study import (
    BACKBONE,
    cells,
    check_growth,
    check_study,
    content,
    decodes,
    encodings,
    finetuned_pairs,
    finetuning_notes,
    fold_suffix,
    pretrained_weights,
    resolve_autoencoder,
    resolve_recipe,
    science,
    tuned_per_fold,
    uses_lpips,
)
from snakemake.exceptions import WorkflowError

RUN = "<results>/runs/{dataset}/{space}/{autoencoder}/{recipe}/fold{fold}"
TABLE_FORMATS = ["csv", "md", "html", "tex"]
TESTS = ["latent_vs_reconstruction", "wilcoxon", "equivalence", "finetuning", "fidelity_vs_gap"]


def one_of(names):
    """A wildcard constraint: one of these names; without any, nothing."""
    return "|".join(re.escape(name) for name in sorted(names)) or "(?!)"


def refused(check, *arguments):
    """Run a check of the configuration; its message becomes Snakemake's own error."""
    try:
        return check(*arguments)
    except InputError as error:
        raise WorkflowError(str(error)) from None


def files_of_study():
    """Everything that `all` makes."""
    return [table_files("table1"), table_files("table2"), significance_files()]


def table_files(table):
    return [f"<results>/tables/{table}.{extension}" for extension in TABLE_FORMATS]


def significance_files():
    return [f"<results>/significance/{test}.csv" for test in TESTS]


def run_files(name, **chosen):
    """One file of every run of Table 1, or of those with the chosen wildcard values."""
    return [
        f"{RUN}/{name}".format(**cell)
        for cell in cells(config)
        if all(cell[key] == value for key, value in chosen.items())
    ]


def encoding_files(name):
    """One file of every encoding that has reconstructions."""
    return [f"<results>/encodings/{encoding}/{name}" for encoding in encodings(config)]


def dataset_cards():
    return [f"<results>/datasets/{dataset}/dataset.json" for dataset in config["study"]["datasets"]]


def array_of_space(wildcards):
    """The packed array that a classifier reads, and the card of the autoencoder that made it."""
    if (wildcards.space == "image") != (wildcards.autoencoder == "original"):
        raise WorkflowError(
            f"{wildcards.space}/{wildcards.autoencoder}: image space goes with `original`, and only it does"
        )
    if int(wildcards.fold) >= config["study"]["n_splits"]:
        raise WorkflowError(f"fold{wildcards.fold}: folds count from 0 to n_splits - 1")
    if wildcards.space == "image":
        return {"array": f"<results>/datasets/{wildcards.dataset}/images_small.npy"}
    suffix = fold_suffix(config, wildcards.autoencoder, int(wildcards.fold))
    encoding = f"<results>/encodings/{wildcards.dataset}/{wildcards.autoencoder}{suffix}"
    return {
        "array": f"{encoding}/{wildcards.space}s.npy",
        "autoencoder": f"{encoding}/autoencoder.json",
    }


def autoencoder_weights(wildcards):
    """The weights that the workflow itself brings or makes, as an input of the encoding."""
    if "finetune" not in config["autoencoders"][wildcards.autoencoder]:
        return fetched_weights(wildcards.autoencoder)
    folder = f"<results>/weights/{wildcards.dataset}/{wildcards.autoencoder}{wildcards.of_fold}"
    return {"weights": f"{folder}/diffusion_pytorch_model.safetensors"}


def base_weights(wildcards):
    """What fine-tuning starts from, and what its perceptual term compares features of."""
    entry = config["autoencoders"][wildcards.autoencoder]
    backbone = fetched_weights(BACKBONE) if uses_lpips(entry) else {}
    return fetched_weights(entry["base"]) | {"backbone": path for path in backbone.values()}


def start_weights(wildcards):
    """What a training starts from."""
    recipe = resolve_recipe(config, wildcards.recipe)
    return fetched_weights(recipe["model"]) if recipe["init"] == "imagenet" else {}


def fetched_weights(name):
    """The record that fetch_weights leaves beside what it brought; weights in a user's folder are no input."""
    return {"weights": f"<results>/weights/{name}/source.json"} if name in FETCHED else {}


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


def dataset_params(wildcards):
    entry = config["datasets"][wildcards.dataset]
    # Only `drop` makes the packed images depend on the number of folds.
    folds = {"n_splits": config["study"]["n_splits"]} if entry["rare_classes"] == "drop" else {}
    return science(entry) | folds


def autoencoder_params(wildcards):
    entry = science(resolve_autoencoder(config, wildcards.autoencoder))
    # A class of the user's own is code that the digest of our modules does not see.
    return entry | {"own_code": file_digest(find_module(entry["class"])) if ":" in entry["class"] else None}


def recipe_params(wildcards):
    """The resolved recipe, and which weights it starts from."""
    recipe = resolve_recipe(config, wildcards.recipe)
    start = pretrained_weights(config, recipe)
    return recipe | ({"pretrained": science(start)} if start else {})


def labels():
    """What the tables show instead of identifiers, in the study's order."""
    return {
        kind: {name: config[kind][name]["label"] for name in config["study"][kind]}
        for kind in ("datasets", "autoencoders")
    }


def footnotes(table):
    return config["tables"][table]["footnotes"] + finetuning_notes(config)


def check_before_start(jobs):
    """Say in one message what the jobs that will run lack, before the first of them."""
    from learnability.check import missing_inputs  # here, because every command would wait for its imports

    planned = [(job.rule.name, dict(job.wildcards)) for job in jobs]
    missing = missing_inputs(config, planned)
    if missing:
        raise WorkflowError("The study cannot start:\n  - " + "\n  - ".join(missing))


refused(check_study, config)
LATENT_ONLY = {name for name in config["autoencoders"] if not decodes(config, name)}
FETCHED = weights_to_fetch(config)
refused(check_growth, config, config["results"])
find_shipped_weights(config, Path(workflow.basedir))
