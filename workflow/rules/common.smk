# Helper functions of the rules; what needs no Snakemake is in the package.
import re
from pathlib import Path

from learnability.autoencoders.own_class import find_module
from learnability.configuration import find_shipped_weights
from learnability.contracts import CELL, InputError, file_digest
from learnability.growth import check_growth, content
from learnability.hub import weights_to_fetch
from learnability.provenance import code_digest
from learnability.tables.tests import TITLES
from learnability.presentation import all_labels, footnotes, labels, searched_rows
from learnability.recipes import pretrained_weights, resolve_recipe, spaces_of
from learnability.run_files import (
    RUN,
    SEARCH,
    array_of_run,
    fetched_weights,
    files_of_run,
    model_of_run,
    run_file,
    weights_of_autoencoder,
)
from learnability.study import (
    BACKBONE,
    cells,
    cells_of_gaps,
    check_study,
    columns,
    controls_of_grids,
    decodes,
    efficiency,
    efficiency_run,
    encodings,
    finetuned_pairs,
    resolve_autoencoder,
    recipes_of_gaps,
    rows_of_table4,
    science,
    scope,
    tuned_per_fold,
    uses_lpips,
)
from snakemake.exceptions import WorkflowError

TABLE_FORMATS = ["csv", "md", "html", "tex"]
PUBLISHED = Path(ROOT, "workflow/resources/published.csv")  # the paper's numbers
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
    pages = [*tests_of_study("html"), "<results>/summary.html"]
    return files_of_results() + table_files("claims") + table_files("published") + pages


def files_of_results():
    """Tables, tests and figures of everything that was measured."""
    files = table_files("table1") + table_files("table2") + significance_files()
    for table in ("table4", "ablation_controls"):
        files += table_files(table) if cells(config, table) else []
    files += ["<results>/significance/ablation.csv"] if cells(config, "table4") else []
    files += noise_curves()
    files += ["<results>/significance/gap_decomposition.csv"] if cells(config, "gap_decomposition") else []
    return files + (table_files("table3") if efficiency(config) else []) + figure_files()


def results_with(extension):
    """Tables and tests as CSV, or tables as HTML."""
    return [path for path in files_of_results() if path.endswith(f".{extension}")]


def tests_of_study(extension):
    """Every file of tests that the study makes, or the page that shows it."""
    return [path.replace(".csv", f".{extension}") for path in results_with("csv") if "/significance/" in path]


def autoencoder_cards():
    """The card of every encoding that Table 1 reads."""
    cards = [array_of_run(config, FETCHED, cell).get("autoencoder") for cell in cells(config)]
    return list(dict.fromkeys(filter(None, cards)))


def table_files(table):
    return [f"<results>/tables/{table}.{extension}" for extension in TABLE_FORMATS]


def significance_files():
    return [f"<results>/significance/{test}.csv" for test in TESTS]


def tests_in_table1():
    """What the marks of Table 1 say; nothing where the study has not both of the spaces that are compared."""
    both = {"latent", "reconstruction"} <= set(config["study"]["spaces"])
    return ["<results>/significance/latent_vs_reconstruction.csv"] if both else []


def figure_files():
    """Every figure that the study has runs for."""
    names = ["figure2", "figure3", "gaps", "class_recall", "training_curves"]
    names += ["noise_levels"] if noise_curves() else []
    return [f"<results>/figures/{name}.{extension}" for name in names for extension in ("svg", "png")]


def run_files(name, table="table1", **chosen):
    """One file of every run of a table, or of those with the chosen wildcard values."""
    return [
        run_file(cell, name)
        for cell in cells(config, table)
        if all(cell[key] == value for key, value in chosen.items())
    ]


def noise_curves(name="noise_curve.parquet"):
    """Scores over the noise level of every run of Table 4 that was trained with noise, or another file of these."""
    noisy = [cell for cell in cells(config, "table4") if resolve_recipe(config, cell["recipe"])["noise"]]
    return [run_file(cell, name) for cell in noisy]


def encoding_files(name):
    """One file of every encoding that has reconstructions."""
    return [f"<results>/encodings/{encoding}/{name}" for encoding in encodings(config)]


def dataset_files(name, table="table1"):
    """One file of every dataset of a table."""
    return [f"<results>/datasets/{dataset}/{name}" for dataset in scope(config, table)["datasets"]]


def dataset_cards(table="table1"):
    return dataset_files("dataset.json", table)


def fold_files():
    return [f"<results>/folds/{dataset}.parquet" for dataset in config["study"]["datasets"]]


def reweighting_epochs():
    """By space the epoch after which Table 1's trainings are re-weighted."""
    recipes = {space: resolve_recipe(config, recipe) for _, space, recipe in columns(config, "table1")}
    return {space: recipe["drw"]["after_epoch"] for space, recipe in recipes.items() if recipe["loss"] == "ldam_drw"}


def cell_of(wildcards):
    """What a run is: its wildcards as they are, the fold a number; a search is of its recipe's one space."""
    named = {key: wildcards[key] for key in CELL if key in wildcards.keys()}
    return {"space": spaces_of(config, wildcards.recipe)[0]} | named | {"fold": int(wildcards.fold)}


def files_of_training(wildcards):
    return refused(files_of_run, config, FETCHED, cell_of(wildcards))


def files_of_search(wildcards):
    return refused(files_of_run, config, FETCHED, cell_of(wildcards), True)


def files_of_trained_run(wildcards):
    """What the classifier of a run is applied to, and the classifier."""
    cell = cell_of(wildcards)
    return refused(array_of_run, config, FETCHED, cell) | model_of_run(cell)


def files_of_efficiency(wildcards):
    """What the classifier of a row of Table 3 is measured on, and the classifier."""
    cell = efficiency_run(config, wildcards.row)
    if (cell["dataset"], cell["autoencoder"]) != (wildcards.dataset, wildcards.autoencoder):
        raise WorkflowError("Table 3 is of the dataset and autoencoder that study.efficiency names")
    own = {"folds": f"<results>/folds/{cell['dataset']}.parquet", "metrics": run_file(cell, "metrics.json")}
    return refused(array_of_run, config, FETCHED, cell) | model_of_run(cell) | own


def other_workers(wildcards):
    """What the further jobs of a search leave, where it has several workers."""
    workers = resolve_recipe(config, wildcards.recipe)["search"]["workers"]
    return [f"{SEARCH}/worker{worker}.json".format(**wildcards) for worker in range(1, workers)]


def efficiency_files():
    part = efficiency(config)
    return (
        [f"<results>/efficiency/{part['dataset']}/{part['autoencoder']}/{row}.csv" for row in part["rows"]]
        if part
        else []
    )


def cards_of_study():
    """The cards of all datasets that tables and tests are made from."""
    return list(dict.fromkeys(dataset_cards() + efficiency_cards()))


def efficiency_cards():
    part = efficiency(config)
    return [f"<results>/datasets/{part['dataset']}/dataset.json"] if part else []


def autoencoder_weights(wildcards):
    """The weights that the workflow itself brings or makes, as an input of the encoding."""
    suffix = wildcards.get("of_fold", "")
    return weights_of_autoencoder(config, FETCHED, wildcards.dataset, wildcards.autoencoder, suffix)


def base_weights(wildcards):
    """What fine-tuning starts from, and what its perceptual term compares features of."""
    entry = config["autoencoders"][wildcards.autoencoder]
    backbone = fetched_weights(FETCHED, BACKBONE) if uses_lpips(entry) else {}
    return fetched_weights(FETCHED, entry["base"]) | {"backbone": path for path in backbone.values()}


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
    """The resolved recipe, without what only divides the work, and which weights it starts from."""
    recipe = resolve_recipe(config, wildcards.recipe)
    if recipe["search"]:
        recipe["search"] = {key: value for key, value in recipe["search"].items() if key != "workers"}
    start = pretrained_weights(config, recipe)
    return recipe | ({"pretrained": science(start)} if start else {})


def seed_of_fold(wildcards):
    return config["seed"] + int(wildcards.fold)


refused(check_study, config)
SEARCHED = {name for name in config["recipes"] if resolve_recipe(config, name)["search"]}
ON_THE_FLY = {name for name in config["recipes"] if resolve_recipe(config, name)["reconstructions"] == "on_the_fly"}
LATENT_ONLY = {name for name in config["autoencoders"] if not decodes(config, name)}
FETCHED = weights_to_fetch(config)
refused(check_growth, config, config["results"])
find_shipped_weights(config, Path(ROOT))
