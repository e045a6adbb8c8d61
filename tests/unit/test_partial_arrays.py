"""Arrays that a killed process left are continued; if two processes write them, one ends and does no harm."""

import hashlib
import json
import os
import resource
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from learnability.errors import InputError
from learnability.storage import partial_arrays as module
from learnability.storage.arrays import PackedFile, open_packed
from learnability.storage.partial_arrays import PartialArrays, partial_arrays
from tests.stopping import TERMINATED, exit_code, in_child

N, BATCH = 40, 4
LATENTS = np.random.default_rng(0).normal(size=(N, 4, 8, 8)).astype(np.float16)
SCORES = np.random.default_rng(1).normal(size=(N, 2))


@pytest.fixture(autouse=True)
def often(monkeypatch):
    """Save after every batch."""
    monkeypatch.setattr(module, "SECONDS_BETWEEN_SAVES", 0)


def write(
    folder: Path, identity: str = "me", between=lambda row: None, add: float = 0, batch: int = BATCH
) -> tuple[int, str]:
    """Write all rows, and `add` to each; `between` is called after each batch. Returns the first row and the digest."""
    packed = {"latents": PackedFile(folder / "latents.npy", LATENTS.shape[1:], "float16")}
    scores = PackedFile(folder / "scores.npy", (2,), "float64")
    with partial_arrays(folder, identity, packed | {"scores": scores}) as partial:
        first = partial.rows
        for start in range(first, N, batch):
            rows = slice(start, start + batch)
            partial.write({"latents": LATENTS[rows] + np.float16(add), "scores": SCORES[rows]})
            between(partial.rows)
        np.testing.assert_array_equal(partial.finished("scores"), SCORES)
        partial.commit(packed)
    return first, packed["latents"].digest


def killed_after(folder: Path, row: int, which: int = signal.SIGKILL, **given) -> Path:
    """Write in another process until `row` rows are saved, then a signal comes; returns the folder it left."""

    def between(rows):
        if rows == row:
            os.kill(os.getpid(), which)

    folder.mkdir(exist_ok=True)
    child = in_child(lambda: write(folder, between=between, **given), folder.parent / "log")
    assert exit_code(child) == (TERMINATED if which == signal.SIGTERM else -which)
    (left,) = folder.iterdir()
    assert left.name.startswith(".arrays.")
    return left


@pytest.fixture
def whole(tmp_path) -> tuple[bytes, str]:
    _, digest = write(tmp_path / "whole")
    assert [path.name for path in (tmp_path / "whole").iterdir()] == ["latents.npy"]
    np.testing.assert_array_equal(open_packed(tmp_path / "whole" / "latents.npy"), LATENTS)
    return (tmp_path / "whole" / "latents.npy").read_bytes(), digest


def check(folder: Path, whole: tuple[bytes, str], first: int, **given) -> None:
    """Go on, from row `first`, to the same bytes and digest, and leave nothing else."""
    assert write(folder, **given) == (first, whole[1])
    assert [path.name for path in folder.iterdir()] == ["latents.npy"]
    assert (folder / "latents.npy").read_bytes() == whole[0]


@pytest.mark.parametrize("which", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
def test_what_a_stopped_process_saved_is_gone_on_with(tmp_path, whole, which):
    left = killed_after(tmp_path / "arrays", 12, which)
    # SIGTERM is answered after the next batch; a process that it ends says that it has let go of its files.
    assert (left / "released").exists() == (which == signal.SIGTERM)
    check(tmp_path / "arrays", whole, 12 if which == signal.SIGKILL else 16)


def test_rows_that_are_not_in_the_journal_are_written_again(tmp_path, whole, monkeypatch):
    left = killed_after(tmp_path / "arrays", 12)
    journal = json.loads((left / "journal.json").read_text())
    with (left / "latents.npy").open("ab") as file:
        file.write(bytes(100_001))  # more than all the rows that are to come
    assert journal["rows"] == 12
    assert journal["hashes"]["latents"] == hashlib.sha256(LATENTS[:12].tobytes()).hexdigest()
    check(tmp_path / "arrays", whole, 12)


def test_an_end_at_every_row_and_again(tmp_path, whole):
    for row in range(BATCH, N + 1, BATCH):
        killed_after(tmp_path / "arrays", row)
    check(tmp_path / "arrays", whole, N)


@pytest.mark.parametrize("damage", ["changed", "cut", "gone", "journal"])
def test_damaged_rows_are_discarded(tmp_path, whole, capsys, damage):
    left = killed_after(tmp_path / "arrays", 12)
    content = (left / "latents.npy").read_bytes()
    if damage == "gone":
        (left / "scores.npy").unlink()
    elif damage == "journal":
        (left / "journal.json").write_text("")
    else:
        harmed = content[:-100] + bytes(100) if damage == "changed" else content[:-100]
        (left / "latents.npy").write_bytes(harmed)
    check(tmp_path / "arrays", whole, 0)
    assert "discarded" in capsys.readouterr().out


def test_rows_of_another_identity_are_discarded(tmp_path, whole, capsys):
    killed_after(tmp_path / "arrays", 12, identity="other", add=1)
    check(tmp_path / "arrays", whole, 0)
    assert "rows of another autoencoder, code or data; discarded" in capsys.readouterr().out


def test_an_input_error_leaves_nothing_and_another_error_keeps_the_rows(tmp_path, whole):
    def fails(at, error):
        def between(row):
            if row == at:
                raise error

        return between

    with pytest.raises(InputError, match="an image"):
        write(tmp_path / "arrays", between=fails(12, InputError("an image")))
    assert list((tmp_path / "arrays").iterdir()) == []
    for row, error in ((12, KeyboardInterrupt()), (24, RuntimeError("out of memory"))):
        with pytest.raises(type(error)):
            write(tmp_path / "other", between=fails(row, error))
    check(tmp_path / "other", whole, 24)


def test_a_full_disk_names_the_folder_and_keeps_what_was_saved(tmp_path, whole):
    def work():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))  # only for the child: three rows and a header
        with pytest.raises(OSError, match=r"arrays could not be written: File too large"):
            write(tmp_path / "arrays", batch=1)
        with pytest.raises(OSError, match=r"nothing could not be written: File too large"):
            write(tmp_path / "nothing")  # not even the first rows fit
        assert list((tmp_path / "nothing").iterdir()) == []

    assert exit_code(in_child(work, tmp_path / "log")) == 0
    check(tmp_path / "arrays", whole, 3, batch=1)


# Two processes that write at once: an orphan, on a node that was given up for lost, say, and its successor.


def orphan(folder: Path, log: Path) -> int:
    """A process that has saved 12 rows with its own values, and goes on only when it finds the file `go`."""

    def wait(row):
        if row == 12:
            (log.parent / "waits").touch()
            while not (log.parent / "go").exists():
                time.sleep(0.01)

    child = in_child(lambda: write(folder, between=wait), log)
    while not (log.parent / "waits").exists():
        time.sleep(0.01)
    return child


def test_an_orphan_ends_while_its_successor_writes_and_when_it_has_written(tmp_path, whole):
    for moment in ("while", "after"):
        folder, log = tmp_path / moment / "arrays", tmp_path / moment / "log"
        folder.mkdir(parents=True)
        child = orphan(folder, log)

        def meet(row, moment=moment, child=child, go=log.parent / "go"):
            if moment == "while" and row == 24:
                go.touch()
                assert exit_code(child) == 99

        check(folder, whole, 12, between=meet)
        if moment == "after":
            (log.parent / "go").touch()
            assert exit_code(child) == 99
        assert (folder / "latents.npy").read_bytes() == whole[0]
        assert [path.name for path in folder.iterdir()] == ["latents.npy"]


def test_what_an_orphan_still_writes_reaches_no_file_of_its_successor(tmp_path, whole, monkeypatch):
    """The orphan's files stay open and grow after they were taken over."""
    packed = {"latents": PackedFile(tmp_path / "arrays" / "latents.npy", LATENTS.shape[1:], "float16")}
    scores = PackedFile(tmp_path / "arrays" / "scores.npy", (2,), "float64")
    with monkeypatch.context() as patch:
        patch.setattr(module, "SECONDS_BETWEEN_SAVES", 3600)  # so that it does not look
        partial = PartialArrays(tmp_path / "arrays", "me", packed | {"scores": scores})
    partial.begin()
    partial.write({"latents": LATENTS[:12], "scores": SCORES[:12]})
    partial.save()

    def wrong_rows(row):
        partial.write({"latents": -LATENTS[:4], "scores": -SCORES[:4]})
        for array in partial.arrays.values():
            array.sync()

    check(tmp_path / "arrays", whole, 12, between=wrong_rows)
    for last in (partial.save, lambda: partial.finished("latents"), lambda: partial.commit(packed)):
        with pytest.raises(InputError, match="arrays: another process continues these arrays; this one ends"):
            last()
    assert (tmp_path / "arrays" / "latents.npy").read_bytes() == whole[0]


def test_many_processes_that_begin_at_once_leave_one_whole_result(tmp_path, whole):
    """Each adds a different number, so a file with rows of two of them would show."""
    for turn in range(3):
        folder, start = tmp_path / f"turn{turn}", tmp_path / f"start{turn}"
        folder.mkdir()

        def work(add, start=start, folder=folder):
            while not start.exists():
                pass
            write(folder, identity=str(add), add=add, between=lambda row: time.sleep(0.002))

        children = [in_child(lambda add=add: work(add), tmp_path / f"log{add}") for add in range(4)]
        start.touch()
        codes = [exit_code(child) for child in children]
        assert set(codes) <= {0, 99}
        if 0 in codes:
            found = open_packed(folder / "latents.npy") - LATENTS
            assert len(set(np.round(found.astype(float)).ravel())) == 1
        write(folder)  # whoever comes next
        assert (folder / "latents.npy").read_bytes() == whole[0]
        assert [path.name for path in folder.iterdir()] == ["latents.npy"]
