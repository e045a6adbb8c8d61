"""Damaged results: whatever reads them names the file and what to do, a plan goes on, and `check` says so."""

import numpy as np
import pandas as pd
import pytest

from learnability.classifiers.weights import read_weights
from learnability.commands.damage import damaged_results
from learnability.errors import InputError
from learnability.storage.arrays import open_packed
from learnability.storage.checkpoints import write_tensors
from learnability.storage.contracts import read_csv, read_json, read_parquet, write_csv, write_json, write_parquet
from learnability.storage.whole_files import unwritten, written_whole
from learnability.workflow import job_requests
from learnability.workflow.job_requests import UNKNOWN, images_of

FRAME = pd.DataFrame({"sample_id": ["a", "b"], "fold": [0, 1]})


def write_all(folder):
    """One file of every kind, as a study writes it."""
    np.save(folder / "images.npy", np.zeros((7, 2, 2, 1), np.uint8))
    write_json({"images": 7}, folder / "dataset.json")
    write_parquet(FRAME, folder / "samples.parquet")
    write_csv(FRAME, folder / "table.csv")
    torch = pytest.importorskip("torch")
    write_tensors({"w": torch.zeros(100)}, folder / "model.safetensors")


READERS = {
    "images.npy": open_packed,
    "dataset.json": read_json,
    "samples.parquet": read_parquet,
    "table.csv": read_csv,
    "model.safetensors": read_weights,
}
DAMAGES = {
    "empty": lambda whole: b"",
    "cut short": lambda whole: whole[: len(whole) - 3],
    "cut in the middle": lambda whole: whole[: len(whole) // 2],
    "of zeros": lambda whole: bytes(len(whole)),
    "of noise": lambda whole: np.random.default_rng(0).bytes(len(whole)),
}
NOT_SEEN = {("table.csv", "cut short"), ("table.csv", "cut in the middle"), ("table.csv", "of zeros")}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_named_with_what_to_do(tmp_path, name, damage):
    """Nothing shows that a CSV was cut between two lines; it is made again from files that are checked."""
    write_all(tmp_path)
    READERS[name](tmp_path / name)
    (tmp_path / name).write_bytes(DAMAGES[damage]((tmp_path / name).read_bytes()))
    if (name, damage) in NOT_SEEN:
        return
    with pytest.raises(InputError) as caught:
        READERS[name](tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert "again" in str(caught.value)


@pytest.mark.parametrize("content", ["null", "[]", "{}", "7", '"text"'])
def test_a_card_without_content_is_damaged(tmp_path, content):
    (tmp_path / "study.json").write_text(content)
    with pytest.raises(InputError, match=r"study\.json: damaged, expected keys with values, found .*; delete it and"):
        read_json(tmp_path / "study.json")


@pytest.mark.parametrize("array", [np.zeros(()), np.array(["a", None], object)])
def test_a_file_that_holds_no_rows_of_numbers_is_no_packed_array(tmp_path, array):
    np.save(tmp_path / "images.npy", array, allow_pickle=True)
    with pytest.raises(InputError, match=r"images\.npy: damaged"):
        open_packed(tmp_path / "images.npy")


@pytest.mark.parametrize("damage", ["empty", "cut short", "of noise"])
def test_a_damaged_array_is_said_once_and_stops_no_plan(tmp_path, capsys, damage):
    job_requests.say_once.cache_clear()
    write_all(tmp_path)
    path = tmp_path / "images.npy"
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    assert [images_of({"format": "table"}, path) for _ in range(3)] == [UNKNOWN] * 3
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"warning: {path}: damaged, no whole array (")
    assert said.endswith("; delete it and run again")


def test_what_is_damaged_in_a_results_folder_is_seen_at_a_glance(tmp_path):
    write_all(tmp_path)
    assert list(damaged_results(tmp_path)) == []
    assert list(damaged_results(tmp_path / "new")) == []
    for name in ("images.npy", "dataset.json", "samples.parquet"):
        whole = (tmp_path / name).read_bytes()
        for damage in ("empty", "cut short"):
            (tmp_path / name).write_bytes(DAMAGES[damage](whole))
            (text,) = damaged_results(tmp_path)
            assert text.startswith(f"{tmp_path / name}: damaged")
            assert "delete it and run again" in text
        (tmp_path / name).write_bytes(whole)


def test_a_card_that_may_not_be_read_is_said_with_the_others(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    write_all(tmp_path)
    (tmp_path / "images.npy").write_bytes(b"")
    monkeypatch.setattr("learnability.commands.damage.read_json", refuse)
    said = list(damaged_results(tmp_path))
    assert said[0].startswith(f"{tmp_path / 'images.npy'}: damaged")
    assert said[1] == f"{tmp_path / 'dataset.json'}: cannot be read (Permission denied); mend that"


@pytest.mark.parametrize("mark", ["study.json", ".last_run.json"])
def test_damage_of_another_study_within_the_folder_is_not_this_studys(tmp_path, mark):
    (tmp_path / "clinic").mkdir()
    (tmp_path / "clinic/dataset.json").write_text("")
    assert len(list(damaged_results(tmp_path))) == 1
    write_json({"datasets": []}, tmp_path / "clinic" / mark)
    assert list(damaged_results(tmp_path)) == []
    assert len(list(damaged_results(tmp_path / "clinic"))) == 1


@pytest.mark.parametrize(
    ("number", "advice"),
    [(28, "the disk is full: free some space there"), (122, "your quota"), (30, "may be written to"), (5, "mend that")],
)
def test_what_could_not_be_written_says_what_to_do(tmp_path, number, advice):
    message = str(unwritten(tmp_path / "x.json", OSError(number, "reason")))
    assert f"{tmp_path / 'x.json'} could not be written: reason; " in message
    assert advice in message
    assert message.endswith("and run again")


def test_arrows_own_errors_name_the_file_too(tmp_path):
    """They lack the operating system's text."""
    message = r"x\.parquet could not be written: Arrow says; mend that"
    with pytest.raises(OSError, match=message), written_whole(tmp_path / "x.parquet"):
        raise OSError("Arrow says")
