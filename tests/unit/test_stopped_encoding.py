"""Encoding and fine-tuning, stopped by a signal in their own process, end in the same bytes when they continue."""

import os
import re
import signal
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from learnability.autoencoders import encode
from learnability.autoencoders.encode import encode_dataset
from learnability.autoencoders.finetuning import tuning as finetuning
from learnability.autoencoders.finetuning.adversarial import patch_discriminator
from learnability.autoencoders.finetuning.tuning import Tuning, finetune_autoencoder
from learnability.storage import checkpoints, partial_arrays
from tests.autoencoders import save, write_dataset
from tests.stopping import PRESSED, TERMINATED, exit_code, hear_control_c, in_child, signal_after

CPU = torch.device("cpu")
FINETUNE = {
    "images": "all_images", "steps": 6, "batch_size": 2, "lr": 1e-3, "kl_weight": 1e-6, "perceptual": "none",
    "perceptual_weight": 1.0, "adversarial": {"start": 2, "weight": 0.5, "lr": 1e-3}, "checkpoint_every": 4,
}  # fmt: skip


@pytest.fixture
def dataset(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(encode, "PIXELS", 2 * 64 * 64)  # batches of 2, the last of 1
    return write_dataset(tmp_path / "dataset", number=9)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def stop(work, log: Path, owner, name: str, call: int, which: int) -> str:
    """Do work in another process, which gets a signal after a call of a function; return what it printed."""
    with pytest.MonkeyPatch.context() as patch:
        signal_after(patch, owner, name, call, which)
        child = in_child(lambda: (hear_control_c(), work()), log)
    assert exit_code(child) == {signal.SIGTERM: TERMINATED, signal.SIGINT: PRESSED}.get(which, -which)
    return log.read_text()


def resumed_after(printed: str) -> int:
    return int(re.search(r"mine: resumed after (\d+) of 9 images\n", printed)[1])


@pytest.mark.parametrize(("which", "decodes"), [
    (signal.SIGTERM, True), (signal.SIGTERM, False), (signal.SIGKILL, True), (signal.SIGKILL, False),
    (signal.SIGINT, False),
], ids=lambda value: getattr(value, "name", value))  # fmt: skip
def test_an_encoding_that_was_stopped_goes_on_to_the_same_bytes(tmp_path, dataset, monkeypatch, capsys, which, decodes):
    entry = save("sd", tmp_path / "weights")
    if not decodes:
        entry = {"class": "random_init", "channels": 4, "factor": 8, "role": "control", "decodes": False}
        entry |= {"options": {"block_out_channels": [32] * 4, "layers_per_block": 1}}
    monkeypatch.setattr(partial_arrays, "SECONDS_BETWEEN_SAVES", 0 if which == signal.SIGKILL else 60)
    encode_dataset("mine", entry, dataset, tmp_path / "whole", CPU)

    def work():
        encode_dataset("mine", entry, dataset, tmp_path / "stopped", CPU)

    # When the third batch begins the first is written; the second may be, and what a kill finds in work is lost.
    calls = 3 if which == signal.SIGKILL else 2
    assert "resumed" not in stop(work, tmp_path / "log", encode, "encode_posterior", calls, which)
    once = resumed_after(stop(work, tmp_path / "log", encode, "encode_posterior", calls, which))
    capsys.readouterr()
    work()
    assert 2 <= once < resumed_after(capsys.readouterr().out) <= 8
    assert bytes_of(tmp_path / "whole").keys() >= {"latents.npy", "channel_sums.npy", "autoencoder.json"}
    assert bytes_of(tmp_path / "stopped") == bytes_of(tmp_path / "whole")


def test_a_batch_is_written_while_the_next_is_encoded():
    begun = {start: threading.Event() for start in range(3)}
    written = []

    class Partial:
        rows = 0

        def write(self, rows: dict) -> None:
            if rows["start"] + 1 in begun:
                assert begun[rows["start"] + 1].wait(timeout=10)
            written.append(rows["start"])

    def encode_batch(x: torch.Tensor, start: int) -> dict:
        begun[start].set()
        return {"start": start}

    encode.encode_ahead(Partial(), np.zeros((3, 8, 8, 3), np.uint8), 1, CPU, encode_batch)
    assert written == [0, 1, 2]


def test_other_weights_images_settings_or_code_begin_anew(tmp_path, dataset, capsys):
    entry = save("sd", tmp_path / "weights")
    other = save("flux1", tmp_path / "other")
    minmax = entry | {"input": "minmax"}
    corrected = save("sd", tmp_path / "corrected")  # the same weights
    config = tmp_path / "corrected/config.json"
    config.write_text(config.read_text().replace('"norm_num_groups": 4', '"norm_num_groups": 2'))
    for changed, code in ((other, "code"), (minmax, "code"), (entry, "new code"), (corrected, "code")):

        def work():
            encode_dataset("mine", entry, dataset, tmp_path / "encoding", CPU, code="code")

        stop(work, tmp_path / "log", encode, "encode_posterior", 2, signal.SIGTERM)
        encode_dataset("mine", changed, dataset, tmp_path / "encoding", CPU, code=code)
        printed = capsys.readouterr().out
        assert "rows of another autoencoder, code or data; discarded" in printed
        assert "mine: 2 of 9 images" in printed


def test_rows_outlive_a_card_that_could_not_be_written(tmp_path, dataset, monkeypatch, capsys):
    entry = save("sd", tmp_path / "weights")
    encode_dataset("mine", entry, dataset, tmp_path / "whole", CPU)
    with monkeypatch.context() as patch:
        patch.setattr(encode, "write_json", lambda *_: os.open("/dev/full/nothing", os.O_RDONLY))
        with pytest.raises(OSError, match="Not a directory"):
            encode_dataset("mine", entry, dataset, tmp_path / "stopped", CPU)
    (tmp_path / "stopped" / "fidelity.parquet").unlink()  # as Snakemake does with the outputs of a failed job
    capsys.readouterr()
    encode_dataset("mine", entry, dataset, tmp_path / "stopped", CPU)
    assert capsys.readouterr().out == "mine: resumed after 9 of 9 images\n"
    assert bytes_of(tmp_path / "stopped") == bytes_of(tmp_path / "whole")


@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_fine_tuning_that_was_stopped_between_checkpoints_goes_on_to_the_same_bytes(
    tmp_path, dataset, monkeypatch, capsys, which
):
    monkeypatch.setattr(finetuning, "patch_discriminator", partial(patch_discriminator, width=8))
    entry = save("sd", tmp_path / "weights") | {"finetune": FINETUNE}
    finetune_autoencoder(entry, dataset, 0, "code", tmp_path / "whole", CPU)

    def work():
        finetune_autoencoder(entry, dataset, 0, "code", tmp_path / "stopped", CPU)

    monkeypatch.setattr(checkpoints, "SECONDS_BETWEEN_SAVES", 0 if which == signal.SIGKILL else 600)
    lost = which == signal.SIGKILL  # the step in which the kill came
    stop(work, tmp_path / "log", Tuning, "step", 2 + lost, which)
    printed = stop(work, tmp_path / "log", Tuning, "step", 3 + lost, which)  # in the second part of two
    assert printed.startswith("resumed after step 2\n")
    capsys.readouterr()
    work()
    assert "resumed after step 5\n" in capsys.readouterr().out
    assert bytes_of(tmp_path / "stopped") == bytes_of(tmp_path / "whole")
