"""Search for the values of a recipe by the validation rows of one fold: Optuna, in a journal that outlives a kill.

A trial is one line of the journal when it starts, with its number, worker and values, and one more when it is
finished. A kill leaves either line there or not, so that there is always one way to go on: a trial that was started is
run again, with its values and from its checkpoint, and one that was not is proposed again, the same.
"""

import math
from collections.abc import Callable
from pathlib import Path

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from ..errors import InputError
from ..study.recipe import Search
from ..study.search_grid import grid
from .search_journal import JOURNAL, begin_study, held, load_study, lock_of, recorded

optuna.logging.set_verbosity(optuna.logging.WARNING)  # run_trials prints the line of a trial itself


def run_trials(
    folder: Path, search: Search, seed: int, worker: int, objective: Callable[[dict, Path], float], identity: str
) -> None:
    """Run trials until the search has `trials` of them, those of other workers (0-based, other processes) included.

    `objective(values, checkpoint)` trains with values {dotted key: value}, resumes from `checkpoint` where that
    exists, and returns the validation balanced accuracy. A worker that starts again first ends the trial that it left,
    so a search with one worker that was killed, however often, equals one that was not, to the last digit. With several
    the values depend on who was finished first. No two processes may run as the same worker at once.

    `identity` is the digest of all that a trial's result depends on (space, recipe, data, code, seed); the journal of
    another one is discarded. `trials` and `workers` need not be in it: a search can grow.
    """
    study = begin_study(folder, identity)
    for trial in study.get_trials(deepcopy=False):
        if trial.state == TrialState.COMPLETE:  # killed after the result, before its checkpoint was removed
            checkpoint_of(folder, trial).unlink(missing_ok=True)
    while trial := unfinished(study, search, worker) or start_trial(folder, study, search, seed, worker):
        value = evaluate(folder, trial, objective)
        study.tell(trial.number, value)
        checkpoint_of(folder, trial).unlink(missing_ok=True)
        outcome = f"validation balanced accuracy {value:.4f}"
        print(f"trial {trial.number} of {search.trials}: {in_words(trial)}: {outcome}", flush=True)


def best(folder: Path, search: Search, identity: str) -> dict:
    """The values of the trial with the highest validation balanced accuracy (the earlier of equals), and its score.

    InputError where the search has not come to its end, or a score is not a number.
    """
    path = folder / JOURNAL
    if recorded(path) != identity:
        raise InputError(f"{path}: holds no search of this space, recipe, code and data; run its workers first")
    trials = load_study(path, identity).get_trials(deepcopy=False)[: search.trials]
    finished = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    if len(finished) < search.trials:
        raise InputError(f"{path}: {len(finished)} of {search.trials} trials are finished; run its workers again")
    for trial in finished:
        if not math.isfinite(trial.value):
            raise InputError(f"{path}: trial {trial.number} has the score {trial.value}; remove {folder}, search again")
    top = max(finished, key=lambda trial: trial.value)
    return {
        "values": top.params,
        "validation_balanced_accuracy": top.value,
        "trial": top.number,
        "trials": len(finished),
        "searched_space": search.space,
        "scope": search.scope,
    }


def unfinished(study: optuna.Study, search: Search, worker: int) -> FrozenTrial | None:
    """The first trial that this worker started and did not end; worker 0 also ends those of vanished workers."""
    for trial in study.get_trials(deepcopy=False)[: search.trials]:
        owner = trial.user_attrs["worker"]
        if trial.state == TrialState.RUNNING and (owner == worker or (worker == 0 and owner >= search.workers)):
            return trial
    return None


def start_trial(folder: Path, study: optuna.Study, search: Search, seed: int, worker: int) -> FrozenTrial | None:
    """Start one trial with new values, unless the search has all its trials.

    One worker at a time, so that each proposes knowing what the others try: two that start together would draw the
    same values. Should the lock fail, what the journal has beyond `trials` is never run nor read.
    """
    with held(lock_of(folder / "turn")):
        trials = study.get_trials(deepcopy=False)
        if len(trials) >= search.trials:
            return None
        values, space = propose(trials, search, seed), distributions(search.space)
        study.add_trial(
            create_trial(state=TrialState.RUNNING, params=values, distributions=space, user_attrs={"worker": worker})
        )
    return unfinished(study, search, worker)


def propose(trials: list[FrozenTrial], search: Search, seed: int) -> dict:
    """Values for the next trial: of a grid the next, else by TPE (the first ten are random), given all before it.

    The sampler is made for this one trial, from the seed and the number of trials before it. One sampler for the
    search would have drawn other random numbers after a restart: its generator begins anew, the trials do not.
    """
    if values := grid(search):
        return values[len(trials)]
    sampler = TPESampler(seed=seed + len(trials), constant_liar=search.workers > 1)
    past = optuna.create_study(sampler=sampler, direction="maximize")  # in memory: the journal gets whole trials only
    past.add_trials(trials)
    return past.ask(distributions(search.space)).params


def distributions(space: dict) -> dict[str, BaseDistribution]:
    """Optuna's form of a declared space; sorted, because a digest does not tell the order of keys either."""
    return {
        key: CategoricalDistribution(space[key]["choices"])
        if "choices" in space[key]
        else FloatDistribution(space[key]["low"], space[key]["high"], log=space[key].get("log", False))
        for key in sorted(space)
    }


def evaluate(folder: Path, trial: FrozenTrial, objective: Callable[[dict, Path], float]) -> float:
    """The trial's validation balanced accuracy; what ends the search says with which values."""
    try:
        value = objective(dict(trial.params), checkpoint_of(folder, trial))
        if not math.isfinite(value):
            raise InputError(f"the validation balanced accuracy is {value}; narrow the space")
    except InputError as error:
        raise InputError(f"{folder}: trial {trial.number} ({in_words(trial)}): {error}") from error
    return value


def checkpoint_of(folder: Path, trial: FrozenTrial) -> Path:
    return folder / f"trial{trial.number}.checkpoint.safetensors"


def in_words(trial: FrozenTrial) -> str:
    values = trial.params.items()
    return ", ".join(f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in values)
