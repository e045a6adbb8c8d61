# What the rules share, and the files of the study as lists; what needs no Snakemake is in the package.
import re
from pathlib import Path

from learnability.study.configuration import find_shipped_weights
from learnability.errors import InputError
from learnability.storage.contracts import file_digest
from learnability.study.study_lists import check_growth, content
from learnability.workflow.hub import weights_to_fetch
from learnability.tables.tests import TITLES
from learnability.study.presentation import (
    all_labels,
    caption_values,
    config_digest,
    confounds,
    footnotes,
    labels,
    not_shareable,
    searched_rows,
)
from learnability.study.recipes import resolve_recipe
from learnability.study.paths import RUN, SEARCH, array_of_run, run_file
from learnability.study.cells import (
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
    recipes_of_gaps,
    rows_of_table4,
    scope,
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
    files = table_files("table1") + (table_files("table2") if encodings(config) else []) + significance_files()
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
    names = [*(["figure2"] if encodings(config) else []), "figure3", "gaps", "class_recall", "training_curves"]
    names += ["noise_levels"] if noise_curves() else []
    return [f"<results>/figures/{name}.{extension}" for name in names for extension in ("svg", "png")]


def report_if_shareable(path, **options):
    """An output that report.html embeds, unless it shows images that must not be passed on."""
    return path if not_shareable(config) else report(path, **options)


def run_files(name, table="table1", **chosen):
    """One file of every run of a table, or of those with the chosen wildcard values."""
    return [
        run_file(cell, name)
        for cell in cells(config, table)
        if all(cell[key] == value for key, value in chosen.items())
    ]


def some(files, key, why="names no dataset or autoencoder of it"):
    """An input function: these files; what is made from none is refused, when it is asked for."""

    def given(wildcards):
        if not files:
            raise WorkflowError(f"Nothing of this study is in it: study.{key} {why}")
        return files

    return given


def noise_curves(name="noise_curve.parquet"):
    """Scores over the noise level of every run of Table 4 that was trained with noise, or another file of these."""
    noisy = [cell for cell in cells(config, "table4") if resolve_recipe(config, cell["recipe"]).noise]
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
    return {space: recipe.drw.after_epoch for space, recipe in recipes.items() if recipe.loss == "ldam_drw"}


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


refused(check_study, config)
SEARCHED = {name for name in config["recipes"] if resolve_recipe(config, name).search}
ON_THE_FLY = {name for name in config["recipes"] if resolve_recipe(config, name).reconstructions == "on_the_fly"}
LATENT_ONLY = {name for name in config["autoencoders"] if not decodes(config, name)}
FETCHED = weights_to_fetch(config)
refused(check_growth, config, config["results"])
find_shipped_weights(config, Path(ROOT))
