"""What SLURM is asked before a run, with recorded answers of its commands (22.05)."""

import os
import socket
import subprocess
from pathlib import Path

import psutil
import pytest

from learnability.errors import InputError
from learnability.storage.contracts import write_json
from learnability.workflow import slurm_preflight, slurm_requests
from learnability.workflow.slurm_preflight import QueuedJob
from learnability.workflow.slurm_requests import Request

RUN = "912a77a8-0cb4-4b72-b3a6-e4afec390951"
OTHER = "dee83727-98ca-4b91-8cc1-f908b66a2df4"
ENCODE = "rule_encode_dataset_wildcards_second_tiny_sd14_"
UP = "Slurmctld(primary) at vm is UP\n"
DOWN = f"Slurmctld(primary) at vm is DOWN\n{'*' * 41}\n** RESTORE SLURMCTLD DAEMON TO SERVICE **\n{'*' * 41}\n"
STARTS = "sbatch: Job 1 to start at 2026-11-24T20:18:14 using 1 processors on nodes vm in partition cpu\n"
REFUSED = "allocation failure: Requested node configuration is not available\n"
COMMAND = (
    f"sbatch --parsable --job-name {RUN} --output /dev/null --export=ALL --comment rule_preflight  -p gpu -t 30 "
    "--mem 8000 --no-requeue --cpus-per-task=4 -D '/home/a b' --gpus=3"
)


def line(number, state="RUNNING", run=RUN, folder="/study", comment=ENCODE):
    return f"{number}\t{run}\t{state}\troot\t{folder}\t{comment}\n"


@pytest.fixture
def slurm(monkeypatch, tmp_path):
    """The answers of SLURM's commands: (exit code, stdout, stderr) by how a command begins; the commands asked."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    answers, asked = {}, []

    def ask(*command):
        asked.append(command)
        words = " ".join(command)
        code, out, err = next(
            answer for key, answer in answers.items() if all(part in words for part in key.split("*"))
        )
        return subprocess.CompletedProcess(command, code, out, err)

    monkeypatch.setattr(slurm_preflight, "ask", ask)
    monkeypatch.setattr(slurm_requests, "ask", ask)
    answers["asked"] = asked
    return answers


def write_mark(run=RUN, results="results", **changes):
    here = psutil.Process()
    mark = {"host": socket.gethostname(), "pid": here.pid, "started": here.create_time()} | changes
    write_json({"results": str(Path(results).resolve())} | mark, slurm_preflight.MARKS / f"{run}.json")


# --- does it answer


def test_a_controller_that_answers_is_no_message(slurm):
    slurm["scontrol ping"] = (0, UP, "")
    assert slurm_preflight.why_unreachable() is None


def test_a_controller_that_is_down_is_said_at_once(slurm):
    slurm["scontrol ping"] = (1, DOWN, "")
    message = slurm_preflight.why_unreachable()
    assert message.startswith(
        "SLURM: the controller does not answer (`scontrol ping`: Slurmctld(primary) at vm is DOWN)"
    )


def test_a_backup_controller_is_enough(slurm):
    slurm["scontrol ping"] = (0, "Slurmctld(primary) at a is DOWN\nSlurmctld(backup) at b is UP\n", "")
    assert slurm_preflight.why_unreachable() is None


def test_a_machine_without_slurm_is_no_login_node(slurm, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert slurm_preflight.why_unreachable() == (
        "SLURM: no sbatch, squeue, scontrol on this machine; start from a login node of the cluster"
    )


def test_a_queue_that_cannot_be_read_is_no_empty_queue(slurm):
    slurm["squeue"] = (1, "", "slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n")
    with pytest.raises(InputError, match="`squeue` failed: slurm_load_jobs error: Unable to contact"):
        slurm_preflight.check_living_jobs("/study", "results")


def test_the_users_own_filters_of_squeue_do_not_apply(monkeypatch):
    monkeypatch.setenv("SQUEUE_STATES", "SUSPENDED")
    done = slurm_preflight.ask("env")
    assert "SQUEUE_STATES" not in done.stdout
    assert "PATH=" in done.stdout


# --- jobs of an earlier run


def test_jobs_of_the_folder_are_named_with_what_to_type(slurm):
    slurm["squeue"] = (0, line(12) + line(13, "PENDING", comment="rule_second.image.original.image"), "")
    (message,) = slurm_preflight.check_living_jobs("/study", "results")
    assert message == (
        "SLURM still has 2 job(s) of an earlier run of this study; they would be computed twice:\n"
        f"      12  RUNNING  root  {ENCODE}\n"
        "      13  PENDING  root  rule_second.image.original.image\n"
        "    The Snakemake that submitted them has ended. Wait for the jobs, what they finish is kept: "
        f"`squeue --name={RUN}`\n"
        f"    Or end them: `scancel --name={RUN}`\n"
        "    Then type the same command again"
    )


@pytest.mark.parametrize(
    "other", [
        {"folder": "/another"},
        {"run": "wrap", "comment": "(null)"},  # sbatch by hand, from the same folder
        {"run": OTHER, "comment": "(null)"},
        {"run": "snakemake", "comment": "rule_of_my_own"},
    ],
)  # fmt: skip
def test_other_jobs_are_not_ours(slurm, other):
    slurm["squeue"] = (0, line(12, **other), "")
    assert slurm_preflight.check_living_jobs("/study", "results") == []


@pytest.mark.parametrize(("started_in", "typed_in"), [("real", "link"), ("link", "real")])
def test_a_prefix_of_the_name_and_a_linked_folder_do_not_hide_a_job(slurm, tmp_path, started_in, typed_in):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    slurm["squeue"] = (0, line(12, run=f"mine_{RUN}", folder=tmp_path / started_in), "")
    (message,) = slurm_preflight.check_living_jobs(str(tmp_path / typed_in), "results")
    assert f"scancel --name=mine_{RUN}" in message


def test_a_marked_run_is_found_in_whatever_folder_it_was_started(slurm):
    slurm["squeue"] = (0, line(12, folder="/elsewhere"), "")
    write_mark()
    assert "      12  RUNNING" in slurm_preflight.check_living_jobs("/study", "results")[0]


def test_another_study_of_the_folder_may_go_on(slurm):
    slurm["squeue"] = (0, line(12), "")
    write_mark(results="results/demo")
    assert slurm_preflight.check_living_jobs("/study", "results") == []
    assert len(slurm_preflight.check_living_jobs("/study", "results/demo")) == 1


def test_only_the_first_jobs_of_many_are_named(slurm):
    slurm["squeue"] = (0, "".join(line(number) for number in range(1, 31)), "")
    (message,) = slurm_preflight.check_living_jobs("/study", "results")
    assert "SLURM still has 30 job(s)" in message
    assert "\n      10  " in message
    assert "\n      11  " not in message
    assert "\n      and 20 more\n" in message


def test_jobs_that_are_just_ending_are_waited_for(slurm, monkeypatch):
    answers = [[line(12, "COMPLETING")], [line(12, "COMPLETING")], []]
    monkeypatch.setattr(slurm_preflight, "queued_jobs", lambda: [
        QueuedJob(*text.rstrip().split("\t")) for text in answers.pop(0)
    ])  # fmt: skip
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    assert slurm_preflight.check_living_jobs("/study", "results") == []
    assert answers == []


def test_not_for_ever(slurm):
    slurm["squeue"] = (0, line(12, "COMPLETING"), "")
    assert "12  COMPLETING" in slurm_preflight.check_living_jobs("/study", "results", patience=0)[0]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, f"Its head process {os.getpid()} on {socket.gethostname()} goes on: `kill -INT {os.getpid()}` stops it"),
        ({"started": 1.0}, f"Its head process {os.getpid()} on {socket.gethostname()} was killed"),
        ({"pid": 2**22 + 1}, f"Its head process {2**22 + 1} on {socket.gethostname()} was killed"),
        ({"host": "login2", "pid": 7}, "Its head process 7 on login2 may still run: look there"),
    ],
    ids=["alive", "another start", "another number", "another host"],
)
def test_what_became_of_the_head_is_said(slurm, changes, expected):
    slurm["squeue"] = (0, line(12), "")
    write_mark(**changes)
    assert expected in slurm_preflight.check_living_jobs("/study", "results")[0]


# --- the mark and the lock


def test_the_mark_goes_with_a_head_that_ends_by_itself_and_stays_with_one_that_is_killed(tmp_path):
    for ending, left in (("raise SystemExit(1)", 0), ("os.kill(os.getpid(), 9)", 1)):
        code = (
            "import os; from learnability.workflow import slurm_preflight as s; s.queued_jobs = lambda: []\n"
            f"s.record_run('{RUN}', 'results'); assert s.MARKS.joinpath('{RUN}.json').is_file(); {ending}"
        )
        environment = os.environ | {"PYTHONPATH": str(Path(slurm_preflight.__file__).parents[2])}
        subprocess.run([os.sys.executable, "-c", code], cwd=tmp_path, env=environment, check=False)
        assert len(list(tmp_path.glob(".snakemake/slurm_runs/*"))) == left


def test_marks_of_runs_without_jobs_go_when_the_next_run_starts(slurm, monkeypatch):
    monkeypatch.setattr("atexit.register", lambda *_, **__: None)
    for number, changes in enumerate([{"pid": 2**22 + 1}, {"pid": 2**22 + 1}, {}]):
        write_mark(run=f"{number}{RUN}", **changes)
    slurm["squeue"] = (0, line(12, run=f"1{RUN}"), "")
    slurm_preflight.record_run(OTHER, "results")
    assert set(slurm_preflight.read_marks()) == {f"1{RUN}", f"2{RUN}", OTHER}  # jobs left; head alive; this one


@pytest.fixture
def locked(slurm):
    slurm_preflight.LOCKS.mkdir(parents=True)
    (slurm_preflight.LOCKS / "0.output.lock").write_text("results/study.json\n")
    slurm["squeue"] = (0, "", "")
    return slurm


def test_without_a_lock_nothing_is_asked(slurm):
    assert slurm_preflight.note_on_lock("/study", "results") is None
    assert slurm["asked"] == []


def test_the_lock_of_a_run_without_slurm_is_left_to_snakemake(locked):
    assert slurm_preflight.note_on_lock("/study", "results") is None


def test_the_lock_of_a_killed_run_says_what_to_type(locked):
    write_mark(pid=2**22 + 1)
    note = slurm_preflight.note_on_lock("/study", "results")
    assert note == (
        f"This folder is locked. Its head process {2**22 + 1} on {socket.gethostname()} was killed, and no job of it "
        "is in the queue: if no other Snakemake works here, type the same command with --unlock, then again without"
    )
    locked["squeue"] = (0, line(12), "")
    note = slurm_preflight.note_on_lock("/study", "results")
    assert "12  RUNNING" in note
    assert note.endswith("Then type the same command with --unlock, then again without")


def test_the_lock_of_a_living_run_is_not_to_be_removed(locked):
    write_mark()
    assert "--unlock" not in slurm_preflight.note_on_lock("/study", "results")
    locked["squeue"] = (0, line(12), "")
    note = slurm_preflight.note_on_lock("/study", "results")
    assert "12  RUNNING" in note
    assert "goes on" in note
    assert "--unlock" not in note


# --- requests


@pytest.fixture
def sbatch(slurm):
    """Everything is accepted unless a test says otherwise."""
    slurm["--states"] = (0, "", "")
    slurm["sinfo"] = (0, "cpu\tinfinite\ngpu\t1-00:00:00\n", "")
    return slurm


def test_a_request_that_would_start_is_tried_once_for_all_jobs(sbatch):
    sbatch["--test-only"] = (0, "", STARTS)
    request = Request(COMMAND, estimated=False)
    assert slurm_requests.check_requests({request: ["train_classifier"] * 200}) == ([], [])
    assert len([command for command in sbatch["asked"] if command[0] == "sbatch"]) == 1


def test_a_refused_request_names_the_rule_and_what_it_asks_for(sbatch):
    sbatch["--test-only"] = (1, "", f"sbatch: error: Memory specification can not be satisfied\n{REFUSED}")
    request = Request(COMMAND, estimated=False)
    refused, warnings = slurm_requests.check_requests({request: ["train_classifier", "trace_noise_curve"] * 2})
    assert warnings == []
    assert refused == [
        "SLURM on train_classifier, trace_noise_curve (4 job(s)), `-p gpu -t 30 --mem 8000 --no-requeue "
        "--cpus-per-task=4 --gpus=3`: Memory specification can not be satisfied; Requested node configuration is not "
        "available. The rule or the profile asks for it"
    ]


def test_what_a_drained_node_may_be_the_reason_of_is_a_warning(sbatch):
    sbatch["--states"] = (0, "node[3-4]\n", "")
    sbatch["--test-only"] = (1, "", REFUSED)
    refused, (warning,) = slurm_requests.check_requests({Request(COMMAND, False): ["train_classifier"]})
    assert refused == []
    assert "or it will wait for nodes that are down or drained: node[3-4] (`sinfo -R`)" in warning
    assert sbatch["asked"][-1][-2:] == ("-p", "gpu")


def test_a_request_that_no_drained_node_explains_is_refused(sbatch):
    sbatch["--states"] = (0, "node[3-4]\n", "")
    sbatch["--test-only"] = (1, "", "allocation failure: Invalid partition name specified\n")
    assert len(slurm_requests.check_requests({Request(COMMAND, False): ["train_classifier"]})[0]) == 1


@pytest.mark.parametrize("answer", [(0, "", STARTS), (1, "", REFUSED)])
def test_nothing_is_submitted(sbatch, answer):
    sbatch["--test-only"] = answer
    slurm_requests.check_requests({Request(COMMAND, True): ["train_classifier"]})
    assert all("--test-only" in command for command in sbatch["asked"] if command[0] == "sbatch")


def test_time_and_memory_that_are_guessed_do_not_stop_a_run(sbatch):
    sbatch["--mem*--test-only"] = (1, "", REFUSED)
    sbatch["--test-only"] = (0, "", STARTS)
    refused, (warning,) = slurm_requests.check_requests({Request(COMMAND, True): ["train_classifier"]})
    assert refused == []
    assert warning.endswith("Time and memory are an estimate, until the job's own input is there")
    assert len(slurm_requests.check_requests({Request(COMMAND, False): ["train_classifier"]})[0]) == 1


def test_gpus_are_never_a_guess(sbatch):
    sbatch["--test-only"] = (1, "", REFUSED)
    assert len(slurm_requests.check_requests({Request(COMMAND, True): ["train_classifier"]})[0]) == 1


@pytest.mark.parametrize(
    ("limit", "minutes", "over"),
    [
        ("1-00:00:00", 1440, False), ("1-00:00:00", 1441, True), ("12:00:00", 721, True), ("30:00", 30, False),
        ("30:00", 31, True), ("infinite", 10**6, False), ("n/a", 10**6, False),
    ],
)  # fmt: skip
def test_more_time_than_the_partition_gives_would_wait_for_ever(sbatch, limit, minutes, over):
    sbatch["sinfo"] = (0, f"gpu\t{limit}\ncpu\t1:00\n", "")
    sbatch["--test-only"] = (0, "", STARTS)  # SLURM's own trial lets it pass
    command = COMMAND.replace("-t 30", f"-t {minutes}")
    refused, _ = slurm_requests.check_requests({Request(command, False): ["train_classifier"]})
    assert bool(refused) == over
    assert all(f"the partition ends every job after {limit}" in message for message in refused)


def test_a_second_attempt_that_would_wait_for_ever_is_said_before_the_first(sbatch):
    sbatch["--test-only"] = (0, "", STARTS)
    half, more = (Request(COMMAND.replace("-t 30", f"-t {minutes}"), False) for minutes in (720, 721))
    assert slurm_requests.check_requests({half: ["train_classifier"]}, attempts=2) == ([], [])
    refused, (warning,) = slurm_requests.check_requests({more: ["train_classifier"]}, attempts=2)
    assert refused == []
    assert "attempt 2 would wait for ever, the partition ends every job after 1-00:00:00" in warning


# --- how an end is noticed


def config(age, store="accounting_storage/none"):
    return (0, f"AccountingStorageType   = {store}\nMinJobAge               = {age}\nMpiDefault = none\n", "")


@pytest.mark.parametrize(
    ("command", "age", "store", "problems", "warnings"),
    [
        ("squeue", "300 sec", "accounting_storage/none", 0, 0),
        ("squeue", "100 sec", "accounting_storage/none", 0, 1),
        ("squeue", "30 sec", "accounting_storage/none", 1, 0),  # sacct would be asked, which knows nothing
        ("squeue", "30 sec", "accounting_storage/slurmdbd", 0, 0),
        ("sacct", "300 sec", "accounting_storage/none", 1, 0),
        ("sacct", "300 sec", "accounting_storage/slurmdbd", 0, 0),
    ],
)
def test_a_run_that_would_hang_is_refused(slurm, command, age, store, problems, warnings):
    slurm["scontrol show config"] = config(age, store)
    found = slurm_requests.check_status_queries(command, 20)
    assert [len(texts) for texts in found] == [problems, warnings]
    assert all("keeps no accounts" in text for text in found[0])
    assert all("SLURM forgets a job 100 sec after its end" in text for text in found[1])
