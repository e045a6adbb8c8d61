"""A training that is stopped within an epoch, by a signal or for want of memory, ends in the same bytes."""

import json
import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from learnability.storage import checkpoints, interruption
from learnability.storage.checkpoints import Checkpointer, remove_checkpoint
from learnability.storage.contracts import read_json
from learnability.storage.interruption import Interruption
from learnability.training import engine as training
from learnability.training import tuning
from learnability.training.tuning import search_recipe
from tests.lights import inputs, train, write_study
from tests.recipes import IMAGE, LATENT, recipe_of
from tests.stopping import PRESSED, TERMINATED, exit_code, in_child, signal_after

pytestmark = pytest.mark.usefixtures("one_thread")
NOISY = LATENT | {"film": True, "noise": {"family": "edm", "draw": "lognormal"}}
RECIPES = {"augmented_image": IMAGE, "masked_latent": LATENT, "noise_conditioned": NOISY}
STEPS = 4  # of an epoch: 60 rows in batches of 16
CODES = {signal.SIGTERM: TERMINATED, signal.SIGINT: PRESSED, signal.SIGKILL: -signal.SIGKILL}
SEARCH = {"space": {"lr": {"low": 1e-3, "high": 1e-2}}, "trials": 3, "workers": 1, "scope": "fold"}


@pytest.fixture
def study(tmp_path) -> Path:
    return write_study(tmp_path)


def stop(study: Path, recipe: dict, call: int, function="train_step", which=signal.SIGTERM, **files) -> str:
    """Train in another process, which gets a signal at the end of a call of an engine's function; return its output."""
    with pytest.MonkeyPatch.context() as patch:
        signal_after(patch, training, function, call, which)
        child = in_child(lambda: train(study, "stopped", recipe, **files), study / "log")
    assert exit_code(child) == CODES[which]
    return (study / "log").read_text()


def files(study: Path) -> list[str]:
    return [path.name for path in (study / "stopped").iterdir()]


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_sigterm_within_an_epoch_saves_and_the_next_start_ends_in_the_same_bytes(study, recipe, capsys):
    whole = train(study, "whole", recipe)
    printed = stop(study, recipe, call=STEPS + 2)
    assert printed.splitlines()[-1] == "SIGTERM: saved; the next start continues from here"
    assert files(study) == ["checkpoint.safetensors"]
    capsys.readouterr()
    assert train(study, "stopped", recipe) == whole
    assert capsys.readouterr().out.startswith("resumed in epoch 2, after 32 training rows\n")
    assert sorted(files(study)) == sorted(path.name for path in (study / "whole").iterdir())


@pytest.fixture
def full_gpu(monkeypatch):
    """A GPU that has room for the rows, and for the network only until a step: returns how many steps there were."""
    load, step, steps = training.load_fold, training.train_step, []

    def resident(*given, **named):
        data = load(*given, **named)
        data.rows.array = data.array
        data.rows.resident = torch.from_numpy(data.array[:].copy()).to(data.rows.device)
        steps.append(data.rows)
        return data

    def short(*given):
        steps.append("step")
        if steps[0].resident is not None and len(steps) > STEPS + 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return step(*given)

    monkeypatch.setattr(training, "load_fold", resident)
    monkeypatch.setattr(tuning, "load_fold", resident)
    monkeypatch.setattr(training, "train_step", short)
    return steps


NO_ROOM = "no room on the GPU for the network beside the rows, which are read ahead now: CUDA out of memory.\n"


@pytest.mark.parametrize("epoch_is_saved", [True, False], ids=["goes on", "begins anew"])
def test_rows_leave_a_gpu_that_has_no_room_for_the_network_beside_them(
    study, request, monkeypatch, capsys, epoch_is_saved
):
    whole = train(study, "whole", LATENT)
    if epoch_is_saved:
        monkeypatch.setattr(checkpoints, "SECONDS_BETWEEN_EPOCHS", 0)
    steps = request.getfixturevalue("full_gpu")
    capsys.readouterr()
    assert train(study, "full", LATENT) == whole
    assert NO_ROOM in (said := capsys.readouterr().out)
    assert ("resumed after epoch 1\n" in said) == epoch_is_saved
    assert steps.count("step") == 4 * STEPS + (2 if epoch_is_saved else STEPS + 2)
    assert read_json(study / "full/metrics.json")["resident_mb"] == steps[0].held_bytes / 1e6


def test_the_trials_of_a_search_have_that_room_too(study, full_gpu, capsys):
    given = inputs(study, LATENT)
    recipe = recipe_of(LATENT | {"epochs": 2, "search": SEARCH | {"trials": 1}})
    search_recipe(recipe=recipe, seed=1, code="code", folder=study / "search", worker=0, **given)
    assert NO_ROOM in capsys.readouterr().out


def test_a_network_that_does_not_fit_without_the_rows_either_is_an_error(study, monkeypatch):
    def full(*given):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(training, "train_step", full)
    with pytest.raises(torch.OutOfMemoryError):
        train(study, "full", LATENT)


def test_control_c_saves_as_sigterm_does(study, capsys):
    whole = train(study, "whole", NOISY)
    printed = stop(study, NOISY, call=STEPS + 2, which=signal.SIGINT)
    assert printed.splitlines()[-1] == "SIGINT: saved; the next start continues from here"
    assert train(study, "stopped", NOISY) == whole
    assert "resumed in epoch 2, after 32 " in capsys.readouterr().out


def test_a_second_control_c_does_not_wait_for_the_save():
    with Interruption(600):
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_a_job_in_the_background_goes_on_ignoring_control_c():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interruption(600) as noted:
            signal.raise_signal(signal.SIGINT)
            assert not noted.is_due()
    finally:
        signal.signal(signal.SIGINT, before)


def test_epochs_are_saved_at_most_once_a_minute_and_at_the_end(study, monkeypatch):
    now, saved, save = [0.0], [], Checkpointer.save
    monkeypatch.setattr(interruption, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(
        Checkpointer, "save", lambda *given: saved.append(len(given[0].state["history"])) or save(*given)
    )
    whole = training.predict

    def slow(*arguments):
        now[0] += 25
        return whole(*arguments)

    monkeypatch.setattr(training, "predict", slow)  # an epoch takes 25 seconds
    train(study, "run", IMAGE | {"epochs": 8})
    assert saved == [3, 6, 8]
    saved.clear()
    train(study, "again", IMAGE | {"epochs": 6})
    assert saved == [3, 6]  # not a second time


def test_a_training_that_is_stopped_again_and_again_ends_in_the_same_bytes(study):
    whole = train(study, "whole", IMAGE)
    assert "resumed" not in stop(study, IMAGE, call=1)  # the first step of all
    assert "resumed in epoch 1, after 16 " in stop(study, IMAGE, call=STEPS - 1)  # the last step of an epoch
    assert "resumed in epoch 1, after 60 " in stop(study, IMAGE, call=STEPS + 1)
    assert "resumed in epoch 3, after 16 " in stop(study, IMAGE, call=1, function="predict")  # in validation
    assert "resumed after epoch 3\n" in stop(study, IMAGE, call=1)
    assert train(study, "stopped", IMAGE) == whole


def test_a_kill_without_warning_costs_no_more_than_the_time_between_saves(study, capsys, monkeypatch):
    whole = train(study, "whole", NOISY)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "SECONDS_BETWEEN_SAVES", 0)
        stop(study, NOISY, call=STEPS + 3, which=signal.SIGKILL)
    capsys.readouterr()
    assert train(study, "stopped", NOISY) == whole
    assert "resumed in epoch 2, after 32 " in capsys.readouterr().out
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "SECONDS_BETWEEN_EPOCHS", 0)
        stop(study, NOISY | {"epochs": 2}, call=STEPS + 3, which=signal.SIGKILL)
    train(study, "stopped", NOISY | {"epochs": 2})
    assert "resumed after epoch 1\n" in capsys.readouterr().out
    stop(study, NOISY, call=STEPS + 3, which=signal.SIGKILL)  # within the first minute: nothing was saved
    assert "checkpoint.safetensors" not in files(study)
    assert train(study, "stopped", NOISY) == whole


def test_sigterm_from_outside_at_any_moment(study):
    recipe = IMAGE | {"epochs": 40, "patience": 99}
    (study / "log").touch()
    child = in_child(lambda: train(study, "stopped", recipe), study / "log")
    while "epoch 1/" not in (study / "log").read_text():
        time.sleep(0.01)
    os.kill(child, signal.SIGTERM)
    assert exit_code(child) == TERMINATED
    assert train(study, "stopped", recipe) == train(study, "whole", recipe)


def test_a_search_that_sigterm_stops_within_a_trial_finds_the_same(study, monkeypatch):
    recipe = IMAGE | {"epochs": 2}
    given = inputs(study, recipe) | {"recipe": recipe_of(recipe, search=SEARCH), "seed": 1, "code": "code", "worker": 0}
    whole = search_recipe(folder=study / "whole", **given)
    with monkeypatch.context() as patch:
        signal_after(patch, training, "train_step", 3 * STEPS + 2, signal.SIGTERM)  # in the second of three trials
        child = in_child(lambda: search_recipe(folder=study / "stopped", **given), study / "log")
    assert exit_code(child) == TERMINATED
    assert (study / "log").read_text().count("trial ") == 1
    assert (study / "stopped" / "trial1.checkpoint.safetensors").exists()
    assert search_recipe(folder=study / "stopped", **given) == whole
    assert sorted(files(study)) == sorted(path.name for path in (study / "whole").iterdir())


def test_the_budget_is_of_all_processes_together_and_counts_a_part_of_an_epoch(study, monkeypatch, capsys):
    recipe = LATENT | {"epochs": 9, "budget_seconds": 1000}
    now = [0.0]
    step = training.train_step

    def slow(*arguments):
        now[0] += 100
        if now[0] == 600:  # the second step of the second epoch: then it is stopped
            signal.raise_signal(signal.SIGTERM)
        return step(*arguments)

    monkeypatch.setattr(training, "train_step", slow)
    monkeypatch.setattr(training.time, "perf_counter", lambda: now[0])
    with pytest.raises(SystemExit):
        train(study, "stopped", recipe)
    now[0] = 5000.0  # the clock of another process
    train(study, "stopped", recipe)
    assert "resumed in epoch 2, after 32 " in capsys.readouterr().out
    assert now[0] == 5400.0  # 600 and 400 are the budget
    assert read_json(study / "stopped" / "metrics.json")["epochs"] == 3  # the last of them cut after two steps


def test_a_budget_that_ended_within_an_epoch_still_evaluates_that_epoch(study, monkeypatch, capsys):
    recipe = LATENT | {"epochs": 9, "budget_seconds": 1000}
    Checkpointer.save, whole = Checkpointer.save, Checkpointer.save
    with monkeypatch.context() as patch:
        patch.setattr(Checkpointer, "is_due", lambda checkpointer: bool(checkpointer.state["history"]))

        def late(checkpointer, within=None):
            checkpointer.state["spent_seconds"] = 2000.0 if within else 0.0
            whole(checkpointer, within)
            if within:
                raise SystemExit

        patch.setattr(Checkpointer, "save", late)
        with pytest.raises(SystemExit):
            train(study, "stopped", recipe)
    train(study, "stopped", recipe)
    assert read_json(study / "stopped" / "metrics.json")["epochs"] == 2


def test_sigterm_outside_a_training_ends_the_process_at_once():
    before = signal.getsignal(signal.SIGTERM)
    with Interruption(600) as noted:
        assert not noted.is_due()
        signal.raise_signal(signal.SIGTERM)
        assert noted.is_due()
    assert signal.getsignal(signal.SIGTERM) == before == signal.SIG_DFL


def test_a_save_is_due_when_the_time_is_over_and_then_not_again(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    noted, due = Interruption(600), []
    for now[0] in (599.0, 601.0, 601.0):
        due.append(noted.is_due())
        if due[-1]:
            noted.saved()
    assert due == [False, True, False]


def test_the_generators_go_on_where_they_were():
    torch.manual_seed(3)
    torch.randn(7)  # an odd number of normal draws: one is kept for the next
    states = checkpoints.generator_states(torch.device("cpu"))
    expected = torch.randn(7), torch.rand(5)
    torch.manual_seed(4)
    checkpoints.restore_generators(json.loads(json.dumps(states)), torch.device("cpu"))
    assert all(torch.equal(*pair) for pair in zip(expected, (torch.randn(7), torch.rand(5)), strict=True))


def test_what_killed_writers_left_of_a_checkpoint_goes_with_it_and_what_living_ones_write_stays(tmp_path):
    here, process = os.uname().nodename, os.getppid()
    alive = {f".checkpoint.safetensors.{writer}.tmp" for writer in (f"{here}-{process}", "elsewhere-7")}
    dead = {f".checkpoint.safetensors.{writer}.tmp" for writer in (f"{here}-{2**22 + 1}", "elsewhere-8")}
    for name in {"checkpoint.safetensors", "other.safetensors"} | alive | dead:
        (tmp_path / name).touch()
    os.utime(tmp_path / ".checkpoint.safetensors.elsewhere-8.tmp", (0, 0))  # untouched for an hour and more
    remove_checkpoint(tmp_path / "checkpoint.safetensors")
    assert {path.name for path in tmp_path.iterdir()} == {"other.safetensors"} | alive
    remove_checkpoint(tmp_path / "checkpoint.safetensors")
