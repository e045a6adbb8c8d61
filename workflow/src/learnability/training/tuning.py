"""The search of a recipe's values, each trial a training that is judged by the validation rows of its fold."""

from pathlib import Path

import torch

from ..storage.contracts import digest
from ..study.recipe import Recipe
from ..study.search_grid import grid
from .engine import train, with_share
from .fold_data import Inputs, load_fold
from .hardware import with_room
from .search import best, run_trials

SEED_STRIDE = 1000  # a trial's seed is this times the run's, plus its number: no two folds draw the same values


def search_recipe(
    cell: dict,
    recipe: Recipe,
    seed: int,
    n_splits: int,
    code: str,
    inputs: Inputs,
    folder: Path,
    worker: int,
    device: torch.device,
) -> dict:
    """Work on the trials of the search in `folder` until all are done, and return the best (the content of best.json).

    `cell` and `recipe` are those of the run that the search is for; its `search` says how many workers share it.
    Trials train on the training rows and are judged on the validation rows; test rows are not read. A worker above 0
    only helps, and returns which it was.
    """
    data = with_share(load_fold(cell, n_splits, inputs, device), recipe, seed)

    def objective(values: dict, checkpoint: Path) -> float:
        tried = recipe.with_values(values)
        _, _, history, *_ = with_room(lambda: train(cell, tried, seed, n_splits, code, inputs, data, checkpoint), data)
        return max(row["validation_balanced_accuracy"] for row in history)

    # A search of more trials goes on with those that are done; a grid only with its own.
    same = recipe.recorded() | {"search": [recipe.search.space, bool(grid(recipe.search))]}
    identity = digest([cell, same, seed, n_splits, code, data.source, data.card["digest"], inputs.identity()])
    run_trials(folder, recipe.search, SEED_STRIDE * seed, worker, objective, identity)
    return {"worker": worker} if worker else cell | best(folder, recipe.search, identity)
