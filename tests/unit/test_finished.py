"""In a shared allocation a finished run is kept, and used if its outputs are lost; never for another run."""

import pytest

from learnability.storage.finished import drop_finished, keep_finished, take_finished

NAMES = ("metrics.json", "model.json")


@pytest.fixture
def finished(tmp_path, monkeypatch):
    """A run that was finished within a job of SLURM, and whose outputs were removed."""
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    for name in NAMES:
        (tmp_path / name).write_text(name)
    keep_finished(tmp_path, NAMES, "identity of the run")
    for name in NAMES:
        (tmp_path / name).unlink()
    return tmp_path


def test_outputs_that_were_removed_come_back(finished, capsys):
    for _ in range(2):  # as often as they are lost
        assert take_finished(finished, NAMES, "identity of the run")
        assert [(finished / name).read_text() for name in NAMES] == list(NAMES)
        assert "finished earlier; reused as it is" in capsys.readouterr().out
        (finished / NAMES[0]).unlink()


def test_those_of_another_run_do_not(finished):
    assert not take_finished(finished, NAMES, "identity of another")
    assert not any((finished / name).exists() for name in NAMES)


def test_a_run_that_was_not_kept_whole_counts_for_nothing(finished):
    (finished / ".finished" / "identity").unlink()
    assert not take_finished(finished, NAMES, "identity of the run")


@pytest.mark.parametrize("name", [*NAMES, "identity"])
@pytest.mark.parametrize("content", [b"", b"metrics", bytes(12), None], ids=["empty", "short", "zeros", "lost"])
def test_what_a_power_cut_left_of_an_output_is_done_again(finished, name, content):
    kept = finished / ".finished" / name
    kept.unlink() if content is None else kept.write_bytes(content)
    assert not take_finished(finished, NAMES, "identity of the run")
    assert not any((finished / name).exists() for name in NAMES)
    for name in NAMES:
        (finished / name).write_text("again")
    keep_finished(finished, NAMES, "identity of the run")
    assert take_finished(finished, NAMES, "identity of the run")


def test_what_is_dropped_is_done_again(finished):
    drop_finished(finished)
    assert not take_finished(finished, NAMES, "identity of the run")
    assert not any(finished.iterdir())


def test_keeping_costs_no_space(finished):
    take_finished(finished, NAMES, "identity of the run")
    assert (finished / NAMES[0]).samefile(finished / ".finished" / NAMES[0])


def test_a_newer_result_replaces_the_older(finished):
    for name in NAMES:
        (finished / name).write_text("newer")
    keep_finished(finished, NAMES, "identity of the newer")
    assert not take_finished(finished, NAMES, "identity of the run")
    assert take_finished(finished, NAMES, "identity of the newer")
    assert (finished / NAMES[0]).read_text() == "newer"


def test_outside_of_an_allocation_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    (tmp_path / NAMES[0]).write_text("")
    keep_finished(tmp_path, NAMES[:1], "identity of the run")
    assert [path.name for path in tmp_path.iterdir()] == [NAMES[0]]
