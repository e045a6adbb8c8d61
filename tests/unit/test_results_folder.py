"""The folder of results: its path, one study at a time in it, and results of another folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from learnability.errors import InputError
from learnability.study.configuration import find_results
from learnability.workflow.results_folder import HELD, accept_results, begin_run, refuse_unknown_results

SOURCE = Path(__file__).parents[2] / "workflow/src"


@pytest.fixture(autouse=True)
def apart(tmp_path, monkeypatch):
    """A folder to run in; its locks are released after the test."""
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SCRATCH", "/scratch/me")
    yield
    let_go()


def let_go():
    while HELD:
        HELD.pop().close()


def found(path: str) -> str:
    config = {"results": path}
    find_results(config)
    return config["results"]


def test_a_path_is_brought_to_one_form(tmp_path):
    assert found("~/x") == f"{tmp_path}/home/x"
    assert found("${SCRATCH}/x") == found("$SCRATCH/x/") == "/scratch/me/x"
    assert found("results/demo") == found("./results//demo/") == "results/demo"
    assert found("Ergebnisse für 50 % #1") == "Ergebnisse für 50 % #1"


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("~nobody_of_this_name/x", "~nobody_of_this_name is not known here"),
        ("${NOT_SET_AT_ALL}/x", "${NOT_SET_AT_ALL} is not known here"),
        ("results/{x}", "'{' has a special meaning"),
        ("results/<x>", "'<' has a special meaning"),
        ("file", "file is not a folder; give another"),
        ("link", "link is a link to nowhere/at/all, which does not exist; make that folder"),
    ],
)
def test_a_path_that_cannot_be_a_folder_of_results_is_refused(path, why):
    Path("file").touch()
    Path("link").symlink_to("nowhere/at/all")
    with pytest.raises(InputError) as caught:
        found(path)
    assert why in str(caught.value)


def test_a_link_to_a_folder_is_a_folder(tmp_path):
    Path("link").symlink_to(tmp_path / "there")
    assert found("link") == "link"


def other_process(folder: Path, results: Path) -> str:
    """What begin_run tells a process that runs in `folder` and then ends."""
    code = (
        "import sys; from pathlib import Path; from learnability.errors import InputError\n"
        "from learnability.workflow.results_folder import begin_run\n"
        "try: begin_run(Path(sys.argv[1]))\nexcept InputError as error: print(error)"
    )
    command = [sys.executable, "-c", code, str(results)]
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    return subprocess.run(command, cwd=folder, env=environment, text=True, capture_output=True, check=True).stdout


def test_two_studies_do_not_write_into_one_folder_at_once(tmp_path):
    results = tmp_path / "results"
    begin_run(results)
    said = other_process(tmp_path / "there", results)
    assert f"another study writes into this folder (process {os.getpid()} on" in said
    assert str(Path.cwd()) in said
    let_go()
    assert other_process(tmp_path / "there", results) == ""


def test_with_nolock_nothing_is_held(tmp_path):
    begin_run(tmp_path / "results", alone=False)
    assert other_process(tmp_path / "there", tmp_path / "results") == ""


def test_results_of_another_folder_are_not_taken_for_ones_own(tmp_path, monkeypatch):
    results = tmp_path / "results"
    refuse_unknown_results(results)  # nothing there yet
    results.mkdir()
    refuse_unknown_results(results)  # unpacked results have no token
    begin_run(results)
    let_go()
    monkeypatch.chdir(tmp_path / "there")
    refuse_unknown_results(results)  # no data set was packed, so nothing is wrong
    monkeypatch.chdir(tmp_path / "here")
    (results / "datasets").mkdir()
    refuse_unknown_results(results)
    begin_run(results)  # again, here
    let_go()
    refuse_unknown_results(results)
    monkeypatch.chdir(tmp_path / "there")
    with pytest.raises(
        InputError, match=r"results: the records of its last run are not in this folder.*`learnability adopt"
    ):
        refuse_unknown_results(results)
    accept_results(results)
    refuse_unknown_results(results)
    begin_run(results)
    let_go()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(InputError):
        refuse_unknown_results(results)


def test_a_folder_that_moves_with_its_records_is_its_own(tmp_path, monkeypatch):
    begin_run(Path("results/demo"))
    let_go()
    Path("results/demo/datasets").mkdir()
    (tmp_path / "here").rename(tmp_path / "moved")
    monkeypatch.chdir(tmp_path / "moved")
    refuse_unknown_results(Path("results/demo"))


@pytest.mark.parametrize("after", ["record", "token"])
def test_a_run_that_is_killed_between_its_two_tokens_is_its_own(tmp_path, monkeypatch, after):
    from learnability.workflow import results_folder

    results = tmp_path / "results"
    begin_run(results)
    let_go()
    (results / "datasets").mkdir()
    written, write = [], results_folder.write_json

    def killed(content, path):
        if after == "token" or not written:
            write(content, path)
        written.append(path)
        if len(written) == (1 if after == "record" else 2):
            raise KeyboardInterrupt

    monkeypatch.setattr(results_folder, "write_json", killed)
    with pytest.raises(KeyboardInterrupt):
        begin_run(results)
    refuse_unknown_results(results)


@pytest.mark.skipif(not Path("/proc/sys").is_dir(), reason="needs a folder in which not even root may write")
def test_a_folder_that_cannot_be_written_to_is_named():
    with pytest.raises(InputError, match=r"^/proc/sys/results: cannot be written to \(.*--config results="):
        begin_run(Path("/proc/sys/results"))
