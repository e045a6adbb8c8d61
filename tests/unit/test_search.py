"""The search ends the same even if it was killed; workers share it; values come from the declared space."""

import json
import math
import os
import re
import resource
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import optuna
import pytest

from learnability.errors import InputError
from learnability.study.recipe import Search
from learnability.study.search_space import check_search, searchable
from learnability.training import search_journal
from learnability.training.search import best, propose, run_trials
from tests.recipes import DISTILL, recipe_of

CHECKOUT = Path(__file__).parents[2]
SOURCE = CHECKOUT / "workflow/src"
SPACE = {
    "lr": {"low": 1e-4, "high": 1e-3, "log": True},
    "mask": {"choices": [0, 0.2]},
    "distill.hard_weight": {"low": 0.3, "high": 0.7},
}
SEARCH = Search(space=SPACE, trials=14, scope="fold")
GRID = Search(space={"mask": {"choices": [0.2, 0]}, "lr": {"choices": [3e-4, 1e-3, 3e-3]}}, trials=6, scope="fold")
COMBINATIONS = [{"lr": lr, "mask": mask} for lr in (3e-4, 1e-3, 3e-3) for mask in (0.2, 0)]


def score(values, checkpoint=None):
    """Highest (0.9) at lr 3e-4, mask 0.2 and hard weight 0.6."""
    distance = math.log10(values["lr"] / 3e-4) ** 2 + (values["distill.hard_weight"] - 0.6) ** 2
    return 0.9 - distance - (0.05 if values["mask"] == 0 else 0)


def trials_of(folder):
    """(number, state, value, values) of each trial, read from the JSON lines without Optuna."""
    trials = []
    for line in map(json.loads, (folder / "journal.log").read_text().splitlines()):
        if line["op_code"] == 4:
            kinds = {key: json.loads(text) for key, text in line["distributions"].items()}
            values = {
                key: kinds[key]["attributes"]["choices"][value] if "choices" in kinds[key]["attributes"] else value
                for key, value in line["params"].items()
            }
            trials.append([len(trials), "running", None, values])
        elif line["op_code"] == 6:
            trials[line["trial_id"]][1:3] = ["finished", line["values"][0]]
    return [tuple(trial) for trial in trials]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    run_trials(folder, SEARCH, 7, 0, score, "identity")
    return folder


def test_every_trial_is_finished_and_scored_with_its_own_values(undisturbed):
    trials = trials_of(undisturbed)
    assert [trial[:2] for trial in trials] == [(number, "finished") for number in range(14)]
    assert [trial[2] for trial in trials] == [score(trial[3]) for trial in trials]
    assert len({str(trial[3]) for trial in trials}) == 14


def test_best_is_the_highest_of_the_journal(undisturbed):
    number, _, value, values = max(trials_of(undisturbed), key=lambda trial: trial[2])
    assert best(undisturbed, SEARCH, "identity") == {
        "values": values, "validation_balanced_accuracy": value, "trial": number, "trials": 14, "searched_space": SPACE,
        "scope": "fold",
    }  # fmt: skip


def test_another_seed_tries_other_values_and_the_order_of_keys_changes_nothing(undisturbed, tmp_path):
    run_trials(tmp_path / "seed", SEARCH, 8, 0, score, "identity")
    assert trials_of(tmp_path / "seed")[0] != trials_of(undisturbed)[0]
    turned = replace(SEARCH, space=dict(reversed(SPACE.items())))
    run_trials(tmp_path / "turned", turned, 7, 0, score, "identity")
    assert trials_of(tmp_path / "turned") == trials_of(undisturbed)


class Killed(BaseException):
    """Passes every `except Exception`, as a kill would."""


def dies(function, at, when):
    """The function, but its call number `at` is killed before or after it has done its work."""
    calls = []

    def dying(*arguments, **options):
        calls.append(1)
        if len(calls) == at and when == "before":
            raise Killed
        result = function(*arguments, **options)
        if len(calls) == at:
            raise Killed
        return result

    return dying


@pytest.mark.parametrize("at", [1, 12])  # among the random trials, and where TPE knows some
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["ask", "add_trial", "objective", "tell"])
def test_killed_anywhere_it_ends_as_if_it_had_not_been(undisturbed, tmp_path, monkeypatch, step, when, at):
    objective = score
    with monkeypatch.context() as patch:
        if step == "objective":
            objective = dies(score, at, when)
        else:
            patch.setattr(optuna.Study, step, dies(getattr(optuna.Study, step), at, when))
        with pytest.raises(Killed):
            run_trials(tmp_path, SEARCH, 7, 0, objective, "identity")
    assert len([trial for trial in trials_of(tmp_path) if trial[1] == "finished"]) < 14
    run_trials(tmp_path, SEARCH, 7, 0, score, "identity")
    assert trials_of(tmp_path) == trials_of(undisturbed)


def test_a_sampler_that_is_seeded_once_does_not_end_the_same():
    """This is why each trial makes its own."""

    def values(restart):
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0), direction="maximize")
        for number in range(4):
            if number == 2 and restart:
                study.sampler = optuna.samplers.TPESampler(seed=0)
            study.tell(study.ask({"lr": optuna.distributions.FloatDistribution(0, 1)}), 0.5)
        return [trial.params["lr"] for trial in study.trials]

    assert values(restart=True)[2:] == values(restart=False)[:2]  # it begins again with the numbers it began with


def test_a_trial_goes_on_from_its_own_checkpoint_which_goes_when_it_is_told(tmp_path):
    seen = []

    def objective(values, checkpoint):
        seen.append((checkpoint.name, values, checkpoint.exists()))
        checkpoint.write_bytes(b"half a training")
        if len(seen) == 3:
            raise Killed
        return score(values)

    with pytest.raises(Killed):
        run_trials(tmp_path, SEARCH, 7, 0, objective, "identity")
    assert [path.name for path in tmp_path.glob("*.safetensors")] == ["trial2.checkpoint.safetensors"]
    run_trials(tmp_path, SEARCH, 7, 0, objective, "identity")
    assert seen[2] == ("trial2.checkpoint.safetensors", seen[3][1], False)
    assert seen[3] == ("trial2.checkpoint.safetensors", seen[2][1], True)
    assert sum(exists for _, _, exists in seen) == 1
    assert list(tmp_path.glob("*.safetensors")) == []


def test_a_checkpoint_left_after_the_result_was_told_is_removed(tmp_path):
    run_trials(tmp_path, SEARCH, 7, 0, score, "identity")
    (tmp_path / "trial3.checkpoint.safetensors").touch()
    run_trials(tmp_path, SEARCH, 7, 0, None, "identity")
    assert list(tmp_path.glob("*.safetensors")) == []


@pytest.mark.parametrize("cut", [1, 40])
def test_a_half_written_last_line_is_as_if_it_had_not_been_begun(undisturbed, tmp_path, cut):
    for line in (9, 20, 29):  # of a result, of values, the last
        folder = tmp_path / str(line)
        folder.mkdir()
        lines = (undisturbed / "journal.log").read_bytes().splitlines(keepends=True)
        (folder / "journal.log").write_bytes(b"".join(lines[: line - 1]) + lines[line - 1][:-cut])
        run_trials(folder, SEARCH, 7, 0, score, "identity")
        assert trials_of(folder) == trials_of(undisturbed)


def test_a_full_disk_names_the_journal_and_the_search_goes_on_after_it(undisturbed, tmp_path, small_disk):
    with pytest.raises(OSError, match=r"journal\.log could not be written"):
        run_trials(tmp_path, SEARCH, 7, 0, score, "identity")
    left = (tmp_path / "journal.log").read_bytes()
    assert len(left) == 2000
    assert not left.endswith(b"\n")
    resource.setrlimit(resource.RLIMIT_FSIZE, resource.getrlimit(resource.RLIMIT_FSIZE)[1:] * 2)
    run_trials(tmp_path, SEARCH, 7, 0, score, "identity")
    assert trials_of(tmp_path) == trials_of(undisturbed)


def test_a_journal_of_another_search_is_discarded_with_its_checkpoints(undisturbed, tmp_path, capsys):
    run_trials(tmp_path, replace(SEARCH, trials=2), 99, 0, score, "another")
    (tmp_path / "trial2.checkpoint.safetensors").touch()
    assert "discarded" not in capsys.readouterr().out
    run_trials(tmp_path, SEARCH, 7, 0, score, "identity")
    assert f"{tmp_path}/journal.log: left by a search of another space, recipe, " in capsys.readouterr().out
    assert trials_of(tmp_path) == trials_of(undisturbed)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["journal.log"]


def test_a_job_that_outlived_its_workflow_cannot_write_into_the_search_that_began_since(undisturbed, tmp_path):
    def objective(values, checkpoint):
        run_trials(tmp_path, SEARCH, 7, 0, score, "identity")  # another process, meanwhile
        return 0.99

    with pytest.raises(InputError, match="a search of another space, recipe, code, data or seed began; this one ends"):
        run_trials(tmp_path, SEARCH, 7, 0, objective, "earlier")
    assert trials_of(tmp_path) == trials_of(undisturbed)


def test_a_search_can_grow(undisturbed, tmp_path):
    run_trials(tmp_path, replace(SEARCH, trials=5), 7, 0, score, "identity")
    assert trials_of(tmp_path) == trials_of(undisturbed)[:5]
    run_trials(tmp_path, SEARCH, 7, 0, score, "identity")
    assert trials_of(tmp_path) == trials_of(undisturbed)
    assert best(tmp_path, replace(SEARCH, trials=2), "identity")["trial"] < 2  # as a search of two would have said


def grid_score(values, checkpoint=None):
    """Highest at a learning rate of 1e-3 without masking."""
    return 0.8 - abs(math.log10(values["lr"]) + 3) - values["mask"]


@pytest.mark.parametrize("seed", [0, 7])
def test_choices_with_as_many_trials_as_combinations_are_each_tried_once_whatever_the_seed(tmp_path, seed):
    run_trials(tmp_path, GRID, seed, 0, grid_score, "identity")
    assert [trial[3] for trial in trials_of(tmp_path)] == COMBINATIONS
    found = best(tmp_path, GRID, "identity")
    assert (found["values"], found["trial"], found["trials"]) == ({"lr": 1e-3, "mask": 0}, 3, 6)
    assert found["validation_balanced_accuracy"] == 0.8


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["add_trial", "objective", "tell"])
def test_a_grid_that_was_killed_anywhere_tries_each_once_all_the_same(tmp_path, monkeypatch, step, when):
    objective = grid_score
    with monkeypatch.context() as patch:
        if step == "objective":
            objective = dies(grid_score, 3, when)
        else:
            patch.setattr(optuna.Study, step, dies(getattr(optuna.Study, step), 3, when))
        with pytest.raises(Killed):
            run_trials(tmp_path, GRID, 7, 0, objective, "identity")
    run_trials(tmp_path, GRID, 7, 0, grid_score, "identity")
    assert trials_of(tmp_path) == [
        (number, "finished", grid_score(values), values) for number, values in enumerate(COMBINATIONS)
    ]


def test_workers_of_a_grid_never_try_the_same(tmp_path):
    search = replace(GRID, workers=3)

    def objective(values, checkpoint):
        if len(workers_of(tmp_path)) < 3:
            run_trials(tmp_path, search, 7, len(workers_of(tmp_path)), objective, "identity")  # while this one runs
        return grid_score(values)

    run_trials(tmp_path, search, 7, 0, objective, "identity")
    assert [trial[3] for trial in trials_of(tmp_path)] == COMBINATIONS
    assert set(workers_of(tmp_path)) == {0, 1, 2}


def test_fewer_trials_than_combinations_are_drawn(tmp_path):
    search = replace(GRID, trials=5)
    for seed in (0, 1):
        run_trials(tmp_path / str(seed), search, seed, 0, grid_score, "identity")
    assert trials_of(tmp_path / "0") != trials_of(tmp_path / "1")


def test_a_damaged_journal_is_named_and_kept(tmp_path):
    run_trials(tmp_path, replace(SEARCH, trials=3), 7, 0, score, "identity")
    path = tmp_path / "journal.log"
    lines = path.read_text().splitlines(keepends=True)
    for damaged in ([lines[0], "{}{\n", *lines[1:]], ["not JSON\n", *lines], ["{}\n", *lines]):
        path.write_text("".join(damaged))
        with pytest.raises(InputError, match=r"journal\.log: .*; remove "):
            run_trials(tmp_path, SEARCH, 7, 0, score, "identity")
        assert path.read_text() == "".join(damaged)


def test_a_lock_that_a_killed_process_left_is_taken(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(search_journal, "GRACE_SECONDS", 1)
    monkeypatch.setattr("optuna.storages.journal._file.optuna_warn", lambda text: None)  # that a second is short
    folder = Path("results")
    folder.mkdir()
    (folder / "journal.log.lock").touch()
    (folder / "turn.lock").touch()
    started = time.monotonic()
    run_trials(folder, replace(SEARCH, trials=1), 7, 0, score, "identity")
    assert 2 < time.monotonic() - started < 5
    assert sorted(os.listdir(folder)) == ["journal.log"]


# Several workers: real processes. Each says that it is there, and begins when all are.
WORKER = """
import os, sys, time
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, {tests!r})
from learnability.training.search import run_trials
from test_search import SEARCH, score
folder, worker, fatal = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
def objective(values, checkpoint):
    if fatal and checkpoint.name == fatal[0]:
        os.kill(os.getpid(), 9)
    time.sleep(0.02)
    return score(values)
(folder / f"ready{{worker}}").touch()
while len(list(folder.glob("ready*"))) < 2:
    time.sleep(0.001)
run_trials(folder / "search", replace(SEARCH, workers=2, trials=24), 7, worker, objective, "identity")
"""


def start_worker(folder, worker, *fatal):
    code = WORKER.format(tests=str(Path(__file__).parent))
    environment = os.environ | {"PYTHONPATH": f"{SOURCE}:{CHECKOUT}"}
    return subprocess.Popen([sys.executable, "-c", code, str(folder), str(worker), *fatal], env=environment)


def workers_of(folder):
    lines = map(json.loads, (folder / "journal.log").read_text().splitlines())
    return [line["user_attrs"]["worker"] for line in lines if line["op_code"] == 4]


def test_two_workers_share_a_search_and_never_try_the_same(tmp_path):
    processes = [start_worker(tmp_path, worker) for worker in (0, 1)]
    assert [process.wait(60) for process in processes] == [0, 0]
    trials = trials_of(tmp_path / "search")
    assert [trial[:2] for trial in trials] == [(number, "finished") for number in range(24)]
    assert len({trial[3]["lr"] for trial in trials}) == 24
    assert set(workers_of(tmp_path / "search")) == {0, 1}
    assert best(tmp_path / "search", replace(SEARCH, trials=24), "identity")["trials"] == 24


def test_a_worker_that_was_killed_ends_its_trial_when_it_starts_again_and_none_is_lost(tmp_path):
    search = replace(SEARCH, workers=2, trials=24)
    processes = [start_worker(tmp_path, worker, "trial6.checkpoint.safetensors") for worker in (0, 1)]
    codes = [process.wait(60) for process in processes]
    assert sorted(codes) == [-signal.SIGKILL, 0]
    killed = codes.index(-signal.SIGKILL)
    before = trials_of(tmp_path / "search")
    assert len(before) == 24
    assert [trial[0] for trial in before if trial[1] == "running"] == [6]
    with pytest.raises(InputError, match="23 of 24 trials are finished; run its workers again"):
        best(tmp_path / "search", search, "identity")
    run_trials(tmp_path / "search", search, 7, 1 - killed, None, "identity")  # the other has nothing to do
    assert start_worker(tmp_path, killed).wait(60) == 0
    after = trials_of(tmp_path / "search")
    assert after[6] == (6, "finished", score(before[6][3]), before[6][3])
    assert after[:6] + after[7:] == before[:6] + before[7:]


def test_worker_0_ends_the_trials_of_workers_that_are_no_more(undisturbed, tmp_path):
    with pytest.raises(Killed):
        run_trials(tmp_path, replace(SEARCH, workers=2), 7, 1, dies(score, 3, "before"), "identity")
    run_trials(tmp_path, SEARCH, 7, 0, score, "identity")
    assert len([trial for trial in trials_of(tmp_path) if trial[1] == "finished"]) == 14
    assert workers_of(tmp_path) == [1] * 3 + [0] * 11


def test_who_proposes_while_others_run_tries_elsewhere(tmp_path):
    """The random trials do so too, where constant liar does nothing."""
    search, proposed = replace(SEARCH, workers=8, trials=8), []

    def objective(values, checkpoint):
        proposed.append(values["lr"])
        if len(proposed) < 8:
            run_trials(tmp_path, search, 7, len(proposed), objective, "identity")  # while this one runs
        return score(values)

    run_trials(tmp_path, search, 7, 0, objective, "identity")
    assert len(set(proposed)) == 8
    assert workers_of(tmp_path) == list(range(8))


def test_constant_liar_is_told_of_running_trials(undisturbed, monkeypatch):
    asked = []
    sampler = optuna.samplers.TPESampler
    monkeypatch.setattr(
        "learnability.training.search.TPESampler", lambda **options: asked.append(options) or sampler(**options)
    )
    trials = load_trials(undisturbed)
    propose(trials, SEARCH, 7)
    propose(trials[:3], replace(SEARCH, workers=2), 7)
    assert asked == [{"seed": 21, "constant_liar": False}, {"seed": 10, "constant_liar": True}]


def load_trials(folder):
    return search_journal.load_study(folder / "journal.log", "identity").get_trials()


def test_tpe_finds_better_values_than_as_many_random_ones(tmp_path):
    """The optimum is narrow, in two dimensions; several seeds are used, because one may be lucky."""
    space = {"lr": {"low": 1e-6, "high": 1, "log": True}, "mask": {"low": 0, "high": 1}}
    search = Search(space=space, trials=40, scope="fold")
    rng = np.random.default_rng(0)

    def objective(values, checkpoint=None):
        return -abs(math.log10(values["lr"]) + 2.2) - 4 * abs(values["mask"] - 0.31)

    found, random = [], []
    for seed in range(5):
        run_trials(tmp_path / str(seed), search, 100 * seed, 0, objective, "identity")
        found.append(best(tmp_path / str(seed), search, "identity")["validation_balanced_accuracy"])
        points = zip(10 ** rng.uniform(-6, 0, 40), rng.uniform(0, 1, 40), strict=True)
        random.append(max(objective({"lr": lr, "mask": mask}) for lr, mask in points))
    assert np.mean(found) > np.mean(random) / 2  # both below 0: half the distance from the optimum, or less


def test_values_come_from_the_space_even_on_a_log_scale_where_that_is_asked():
    search = Search(space=SPACE, trials=1, scope="fold")
    values = [propose([], search, seed) for seed in range(200)]
    lr = np.array([value["lr"] for value in values])
    weight = np.array([value["distill.hard_weight"] for value in values])
    assert lr.min() >= 1e-4
    assert lr.max() <= 1e-3
    assert np.median(np.log10(lr)) == pytest.approx(-3.5, abs=0.1)  # a linear scale has log10(5.5e-4) = -3.26
    assert weight.min() >= 0.3
    assert weight.max() <= 0.7
    assert np.median(weight) == pytest.approx(0.5, abs=0.05)
    masks = [value["mask"] for value in values]
    assert set(masks) == {0, 0.2}
    assert 70 < masks.count(0) < 130


def test_choices_come_back_as_they_were_declared(tmp_path):
    choices = [None, True, 2, 0.5, "ldam"]
    search = Search(space={"loss": {"choices": choices}}, trials=30, scope="fold")
    seen = []
    run_trials(tmp_path, search, 0, 0, lambda values, checkpoint: seen.append(values["loss"]) or 0.5, "identity")
    assert {repr(value) for value in seen} == {repr(value) for value in choices}


def test_of_equal_trials_the_earlier_is_best(tmp_path):
    run_trials(tmp_path, SEARCH, 7, 0, lambda values, checkpoint: 0.5 if values["mask"] else 0.4, "identity")
    first = next(trial[0] for trial in trials_of(tmp_path) if trial[3]["mask"])
    assert best(tmp_path, SEARCH, "identity")["trial"] == first


def test_best_refuses_what_is_no_result(undisturbed, tmp_path):
    with pytest.raises(
        InputError, match=r"journal\.log: holds no search of this space, recipe, code and data; run its"
    ):
        best(tmp_path, SEARCH, "identity")
    with pytest.raises(InputError, match="holds no search of this space"):
        best(undisturbed, SEARCH, "another")
    with pytest.raises(InputError, match="14 of 15 trials are finished"):
        best(undisturbed, replace(SEARCH, trials=15), "identity")
    journal = (undisturbed / "journal.log").read_text()
    value = json.dumps(trials_of(undisturbed)[3][2])
    (tmp_path / "journal.log").write_text(journal.replace(f"[{value}]", "[Infinity]"))
    with pytest.raises(InputError, match="trial 3 has the score inf; remove"):
        best(tmp_path, SEARCH, "identity")


@pytest.mark.parametrize("wrong", [math.nan, math.inf, InputError("no image in the training rows; add some")])
def test_what_ends_a_trial_ends_the_search_and_says_its_values(tmp_path, wrong):
    def objective(values, checkpoint):
        if isinstance(wrong, Exception):
            raise wrong
        return wrong

    with pytest.raises(
        InputError, match=r"trial 0 \(distill\.hard_weight 0\.\d+, lr 0\.\d+, mask 0.*\): (no image|the val)"
    ):
        run_trials(tmp_path, SEARCH, 7, 0, objective, "identity")
    assert [trial[1] for trial in trials_of(tmp_path)] == ["running"]  # tried again when the input is mended


def test_a_trial_is_one_line_of_the_log_and_nothing_else_is(tmp_path):
    code = "from dataclasses import replace; from pathlib import Path; from test_search import SEARCH, score\n"
    code += "from learnability.training.search import run_trials\n"
    code += "run_trials(Path('search'), replace(SEARCH, trials=2), 7, 0, score, 'identity')"
    environment = os.environ | {"PYTHONPATH": f"{SOURCE}:{CHECKOUT}:{Path(__file__).parent}"}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert (len(lines), done.stderr) == (2, "")
    number, _, value, values = trials_of(tmp_path / "search")[1]
    words = f"distill.hard_weight {values['distill.hard_weight']:.4g}, lr {values['lr']:.4g}, mask {values['mask']}"
    assert lines[number] == f"trial 1 of 2: {words}: validation balanced accuracy {value:.4f}"


RECIPE = recipe_of(distill=DISTILL | {"teacher": {"space": "reconstruction", "recipe": "image"}}, search=asdict(SEARCH))


def test_what_can_be_searched():
    assert searchable(RECIPE.values()) == [
        "batch_size", "budget_seconds", "distill.hard_weight", "distill.loss", "distill.temperature", "drw.after_epoch",
        "drw.beta", "drw.lr_factor", "drw.reset_patience", "epochs", "film", "head", "latent_std", "loss", "lr", "mask",
        "max_margin", "noise", "noise_space", "patience", "rotate_degrees", "scale", "stem_patch", "weight_decay",
    ]  # fmt: skip
    assert "train_share" not in searchable(recipe_of(RECIPE.values(), train_share=0.5).values())  # trials share rows
    check_search(RECIPE, "tuned")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trials": 0}, "recipes.tuned.search.trials is 0; at least 1"),
        ({"trials": True}, "recipes.tuned.search.trials is True; at least 1"),
        ({"workers": 0}, "recipes.tuned.search.workers is 0; at least 1"),
        ({"space": {}}, "recipes.tuned.search.space is empty; name at least one"),
        (
            {"space": {"dropout": {"choices": [1]}}},
            "space.dropout: not a value of the recipe that can be searched; tho",
        ),
        ({"space": {"distill.alpha": {"choices": [1]}}}, "space.distill.alpha: not a value of the recipe"),
        ({"space": {"distill": {"choices": [None]}}}, "space.distill: not a value of the recipe"),
        ({"space": {"distill.teacher.space": {"choices": ["image"]}}}, "space.distill.teacher.space: not a value"),
        ({"space": {"start_from": {"choices": ["image"]}}}, "space.start_from: not a value of the recipe"),
        ({"space": {"augment": {"choices": ["flip"]}}}, "space.augment: not a value of the recipe"),
        ({"space": {"lr": {"low": 1}}}, "space.lr has ['low']; either low and high (and log), or choices"),
        ({"space": {"lr": {"low": 1, "high": 2, "choices": [1]}}}, "space.lr has ['choices', 'high', 'low']; either"),
        ({"space": {"lr": {"low": 1e-3, "high": 1e-3}}}, "space.lr: low, 0.001, must be below high, 0.001"),
        ({"space": {"lr": {"low": 0, "high": 1, "log": True}}}, "space.lr.low is 0; a log scale needs it above 0"),
        ({"space": {"lr": {"low": "1e-4", "high": 1}}}, "space.lr.low is '1e-4'; write a number (in YAML 1.0e-4"),
        ({"space": {"lr": {"low": 0, "high": math.inf}}}, "space.lr.high is inf; write a number"),
        ({"space": {"batch_size": {"low": 8, "high": 64}}}, "space.batch_size: a range gives fractions, and this is a"),
        ({"space": {"mask": {"choices": []}}}, "space.mask.choices is empty; list at least one value"),
        ({"space": {"mask": {"choices": [0, 0.2, 0]}}}, "space.mask.choices: 0 appears twice; list each value once"),
        ({"space": {"mask": {"choices": [[0, 1]]}}}, "space.mask.choices: [0, 1] is no single value; choices are"),
        ({"space": GRID.space, "trials": 7}, "search.trials is 7; its choices have 6 combinations: write 6"),
    ],
)
def test_a_search_that_cannot_run_is_refused(change, message):
    with pytest.raises(InputError, match=re.escape(message)):
        check_search(replace(RECIPE, search=replace(SEARCH, **change)), "tuned")


@pytest.mark.parametrize(
    ("key", "declared", "message"),
    [
        ("drw.beta", {"choices": [0.999, 1.0]}, "1.0 is greater than or equal to the maximum of 1"),
        ("latent_std", {"choices": [0.0, 1.0]}, "0.0 is less than or equal to the minimum of 0"),
        ("scale", {"low": -1, "high": 30}, "-1 is less than or equal to the minimum of 0"),
        ("max_margin", {"low": -1, "high": 0.5}, "-1 is less than the minimum of 0"),
        ("mask", {"low": 0, "high": 1}, "1 is greater than or equal to the maximum of 1"),
        ("batch_size", {"choices": [8, 16.5]}, "16.5 is a number; expected a whole number"),
        ("head", {"choices": ["linear", "round"]}, "'round' is not one of ['linear', 'cosine']"),
        ("film", {"low": 0, "high": 1}, "0 is a whole number; expected true or false"),
    ],
)
def test_a_search_has_the_bounds_of_the_recipe(key, declared, message):
    with pytest.raises(InputError, match=re.escape(f"recipes.tuned.search.space.{key}: {message}; search only what")):
        check_search(replace(RECIPE, search=replace(SEARCH, space={key: declared})), "tuned")


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"noise.mean": {"low": -1, "high": 60}}, "{'noise.mean': 60}: noise.mean is 60: no level within"),
        ({"noise.sigma_min": {"choices": [0.002, 90]}}, "{'noise.sigma_min': 90}: noise.sigma_min is 90, not below"),
        ({"noise.sigma_max": {"low": 0.001, "high": 80}}, "{'noise.sigma_max': 0.001}: noise.sigma_min is 0.002, not"),
        (
            {"noise.mean": {"choices": [0, 3]}, "noise.sigma_max": {"choices": [80, 0.1]}},
            "{'noise.mean': 3, 'noise.sigma_max': 0.1}",
        ),
        (
            {
                "noise.mean": {"choices": [5]},
                "noise.sigma_min": {"choices": [90]},
                "noise.sigma_max": {"choices": [100]},
            },
            None,
        ),
    ],
)
def test_every_noise_that_a_search_can_give_has_levels(space, message):
    recipe = recipe_of(noise={"family": "edm", "draw": "lognormal"}, search=asdict(replace(SEARCH, space=space)))
    if message is None:
        check_search(recipe.with_values({"search.trials": 1}), "tuned")
        return
    with pytest.raises(InputError, match=re.escape(f"recipes.tuned.search.space, with {message}")):
        check_search(recipe, "tuned")


def test_the_check_waits_for_neither_optuna_nor_torch():
    code = "import sys, learnability.study.search_space; print({'optuna', 'torch'} & {*sys.modules})"
    environment = {"PYTHONPATH": str(SOURCE), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
