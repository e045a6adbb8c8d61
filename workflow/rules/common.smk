# What the rules share: functions of the configuration, and the files of the study as lists. It runs nothing.
import functools
import re
from pathlib import Path

from learnability.errors import InputError
from learnability.study import paths
from learnability.study.cells import (
    all_cells,
    blocks_of,
    cells,
    cells_of_gaps,
    cells_of_information,
    columns,
    controls_of_curve,
    controls_of_grids,
    decodes,
    decomposed,
    each_once,
    efficiency,
    efficiency_run,
    gaps_of_curve,
    pairs_across,
    recipes_of_gaps,
    rows_of_table4,
    scope,
    shares_of_curve,
)
from learnability.study.encodings import diagnosed, encodings, finetuned_pairs, fold_suffix
from learnability.study.configuration import find_results, find_shipped_weights
from learnability.study.controls import comparisons
from learnability.study.presentation import (
    finetuning_notes,
    footnotes,
    labels,
    labels_of_diagnosed,
    labels_of_remedies,
    labels_with_controls,
    searched_rows,
)
from learnability.study.recipes import resolve_recipe
from learnability.study.refusals import check_study
from learnability.study.remedies import remedy_rows
from learnability.study.study_lists import refuse_smaller_study, study_lists
from learnability.workflow.hub import weights_to_fetch
from learnability.workflow.identity import check_own_classes
from learnability.workflow.results_folder import refuse_unknown_results
from snakemake.exceptions import WorkflowError

RUN, SEARCH = f"<results>/{paths.RUN}", f"<results>/{paths.SEARCH}"


def as_workflow_error(function, *arguments):
    """What the function returns; its InputError becomes Snakemake's own error, which is shown without a traceback."""
    try:
        return function(*arguments)
    except InputError as error:
        raise WorkflowError(str(error)) from None


def check_configuration():
    """Complete the study; refuse it where it cannot work, or is smaller than its tables."""
    find_shipped_weights(config, Path(ROOT))
    as_workflow_error(find_results, config)
    as_workflow_error(check_study, config)
    as_workflow_error(check_own_classes, config)
    as_workflow_error(refuse_smaller_study, config, config["results"])
    if workflow.is_main_process:  # a cluster node may see one of the two tokens late
        as_workflow_error(refuse_unknown_results, Path(config["results"]))


@functools.cache
def fetched():
    """Weights that come from the model hub, by name."""
    return weights_to_fetch(config)


def one_of(names):
    """A wildcard constraint: one of these names; without any, nothing."""
    return "|".join(re.escape(name) for name in sorted(names)) or "(?!)"


def recipes_with(key, *values):
    """The recipes that have one of these values, or without values any."""
    found = {name: getattr(resolve_recipe(config, name), key) for name in config["recipes"]}
    return {name for name, value in found.items() if (value in values if values else value)}


def latent_only():
    """The autoencoders without a decoder."""
    return {name for name in config["autoencoders"] if not decodes(config, name)}


def in_results(files):
    """Paths relative to the results folder, one, a list or by name, as Snakemake is told of them."""
    if isinstance(files, str):
        return f"<results>/{files}"
    if isinstance(files, dict):
        return {name: in_results(file) for name, file in files.items()}
    return [in_results(file) for file in files]


def at_least_one(files, key, why="names no dataset or autoencoder of it"):
    """An input function: these files; what is made from none is refused, when it is asked for."""

    def given(wildcards):
        if not files:
            raise WorkflowError(f"Nothing of this study is in it: study.{key} {why}")
        return files

    return given
