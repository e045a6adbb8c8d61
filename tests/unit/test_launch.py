"""The launcher ends what a killed run left behind, but no run that goes on, and nobody else's."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from learnability.workflow import launch

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture
def start():
    """Start `sleep` with or without a mark; whatever is left is ended after the test."""
    started = []

    def start_sleep(mark=None, **environment):
        environment |= {"PATH": os.environ["PATH"]} | ({launch.MARK: mark} if mark else {})
        process = subprocess.Popen(["sleep", "60"], env=environment)
        started.append(process)
        while psutil.Process(process.pid).environ() != environment:
            time.sleep(0.01)  # between fork and exec it still shows the environment of this process
        return process

    yield start_sleep
    for process in started:
        process.kill()
        process.wait()


def head(folder, process=None, **changes):
    """The mark of a run in `folder` whose head is `process`, by default this one: it is alive."""
    process = psutil.Process(process.pid if process else None)
    facts = {"pid": process.pid, "started": process.create_time(), "parent": process.ppid()} | changes
    return f"{folder}|{facts['pid']}|{facts['started']}|{facts['parent']}"


def dead_head(folder):
    """The mark of a run whose head is gone."""
    process = subprocess.Popen(["sleep", "60"])
    mark = head(folder, process)
    process.kill()
    process.wait()
    return mark


def is_running(process):
    return process.poll() is None


def test_the_jobs_of_a_dead_head_are_ended(start, tmp_path, capsys):
    mark = dead_head(tmp_path)
    orphans = [start(mark), start(mark)]
    launch.end_orphans(tmp_path)
    assert not any(map(is_running, orphans))
    assert "ended 2 processes of a run that was killed" in capsys.readouterr().out


def test_a_run_that_goes_on_is_refused_and_left_alone(start, tmp_path):
    job = start(head(tmp_path))
    with pytest.raises(SystemExit) as caught:
        launch.end_orphans(tmp_path)
    assert str(caught.value) == (
        f"Error: a run in {tmp_path} is going on (process {os.getpid()}); wait for it, or stop it first"
    )
    assert is_running(job)


def test_orphans_are_left_alone_too_while_a_run_goes_on(start, tmp_path):
    orphan = start(dead_head(tmp_path))
    start(head(tmp_path))
    with pytest.raises(SystemExit):
        launch.end_orphans(tmp_path)
    assert is_running(orphan)


def test_processes_of_another_folder_and_without_a_mark_are_left_alone(start, tmp_path, capsys):
    folder = tmp_path / "study"
    others = [start(), start(dead_head(tmp_path)), start(dead_head(f"{folder}2")), start(dead_head(folder / "inner"))]
    launch.end_orphans(folder)
    assert all(map(is_running, others))
    assert capsys.readouterr().out == ""


def test_a_job_of_slurm_on_this_machine_is_left_to_scancel(start, tmp_path):
    job = start(dead_head(tmp_path), SLURM_JOB_ID="12")
    launch.end_orphans(tmp_path)
    assert is_running(job)


@pytest.mark.parametrize("change", [{"started": 1.0}, {"parent": 2**22 + 1}, {"pid": 2**22 + 1}])
def test_a_head_with_another_start_or_parent_or_number_is_dead(tmp_path, change):
    assert launch.head_is_alive(head(tmp_path))
    assert not launch.head_is_alive(head(tmp_path, **change))


def test_a_head_that_nobody_buried_is_dead(tmp_path):
    process = subprocess.Popen(["sleep", "60"])
    mark = head(tmp_path, process)
    assert launch.head_is_alive(mark)
    process.kill()
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    assert not launch.head_is_alive(mark)
    process.wait()


def test_a_folder_may_have_a_bar_in_its_name(start, tmp_path):
    orphan = start(dead_head(tmp_path / "a|b"))
    launch.end_orphans(tmp_path / "a|b")
    assert not is_running(orphan)


@pytest.fixture
def unlocked(monkeypatch):
    """The commands that clear_lock would run."""
    commands = []

    def done(command, **_):
        commands.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(launch.subprocess, "run", done)
    return commands


def write_lock(folder):
    (folder / ".snakemake/locks").mkdir(parents=True)
    (folder / ".snakemake/locks/0.output.lock").write_text("results/study.json\n")


def test_without_a_lock_nothing_is_unlocked(unlocked, tmp_path, capsys):
    launch.clear_lock(tmp_path, ["snakemake"])
    (tmp_path / ".snakemake/locks").mkdir(parents=True)
    launch.clear_lock(tmp_path, ["snakemake"])
    assert unlocked == []
    assert capsys.readouterr().out == ""


def test_a_lock_that_nobody_holds_is_cleared(unlocked, tmp_path, capsys):
    write_lock(tmp_path)
    launch.clear_lock(tmp_path, ["snakemake", "--profile", "x", "--", "table1"])
    assert unlocked == [["snakemake", "--profile", "x", "--unlock", "--", "table1"]]  # behind `--` it would be a target
    launch.clear_lock(tmp_path, ["python", "-m", "snakemake", "table1", "--cores", "2"])
    assert unlocked[1] == ["python", "-m", "snakemake", "table1", "--cores", "2", "--unlock"]
    assert "clearing the lock" in capsys.readouterr().out


def test_an_unlocking_that_fails_or_is_killed_gives_one_message(tmp_path):
    write_lock(tmp_path)
    for command, said in (
        ("import sys; print('config.yaml: no YAML', file=sys.stderr); sys.exit(1)", "config.yaml: no YAML"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "it ended with -9"),
    ):
        with pytest.raises(SystemExit) as caught:
            launch.clear_lock(tmp_path, [sys.executable, "-c", command])
        assert str(caught.value) == f"Error: {tmp_path} was not unlocked: {said}\nType the same command again"


def test_control_c_while_it_clears_up_is_one_message(tmp_path, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(launch, "clear_lock", stopped)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="stopped before the run began; type the same command again"):
        launch.main(["snakemake"])


def named_process(folder, name="snakemake"):
    """A process in `folder` with `name` on its command line."""
    command = [sys.executable, "-c", "print('up', flush=True); import time; time.sleep(60)", name]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE)
    process.stdout.readline()
    return process


@pytest.mark.parametrize(("name", "inside", "kept"), [
    ("snakemake", True, True),
    ("snakemake", False, False),
    ("other", True, False),
])  # fmt: skip
def test_a_lock_that_another_snakemake_may_hold_is_kept(unlocked, tmp_path, name, inside, kept):
    folder, elsewhere = tmp_path / "study", tmp_path / "elsewhere"
    write_lock(folder)
    elsewhere.mkdir()
    with named_process(folder if inside else elsewhere, name) as process:
        try:
            launch.clear_lock(folder, ["snakemake"])
        finally:
            process.kill()
    assert bool(unlocked) is not kept


def run_python(code, folder, *arguments):
    """Run Python code below a process of the same command line, as `timeout 60 ... snakemake` would be."""
    outer = "import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', *sys.argv[1:]]).returncode)"
    return subprocess.run(
        [sys.executable, "-c", outer, code, *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(CHECKOUT / "workflow/src")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_that_started_the_launcher_is_no_other_snakemake(tmp_path):
    code = (
        "from pathlib import Path; from learnability.workflow.launch import other_snakemake as o; print(o(Path.cwd()))"
    )
    assert run_python(code, tmp_path, "snakemake").stdout.strip() == "None"


def test_the_launcher_becomes_the_command_and_marks_it(tmp_path):
    code = "import sys; from learnability.workflow.launch import main; main(sys.argv[1:])"
    inner = "import os, sys; print(os.getpid(), os.environ['LEARNABILITY_RUN']); sys.exit(7)"
    done = run_python(code, tmp_path, sys.executable, "-c", inner)
    pid, mark = done.stdout.split(maxsplit=1)
    assert done.returncode == 7
    assert mark.startswith(f"{tmp_path}|{pid}|")
    assert mark.count("|") == 3
