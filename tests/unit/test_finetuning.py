"""Fine-tuning an autoencoder: it learns, resumes to the same bytes, and refuses what it cannot tune."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from learnability.autoencoders import finetuning, load_autoencoder
from learnability.autoencoders.finetuning import finetune_autoencoder
from learnability.contracts import InputError
from tests.autoencoders import save, write_dataset

pytestmark = pytest.mark.usefixtures("one_thread")
CPU = torch.device("cpu")
SETTINGS = {"steps": 6, "batch_size": 2, "lr": 1e-3, "kl_weight": 1e-6, "checkpoint_every": 2}


@pytest.fixture
def dataset(tmp_path) -> Path:
    return write_dataset(tmp_path / "dataset")


def finetune(folder: Path, entry: dict, dataset: Path, seed: int = 0, **changes) -> dict[str, bytes]:
    finetune_autoencoder(entry | {"finetune": SETTINGS | changes}, dataset, seed, "code", folder, CPU)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def interrupt(folder: Path, entry: dict, dataset: Path, step: int) -> None:
    """Fine-tune until `step` is about to be taken."""
    whole = finetuning.train_steps

    def stopped(model, optimiser, images, settings, seed, steps, device):
        if step in steps:
            raise KeyboardInterrupt
        return whole(model, optimiser, images, settings, seed, steps, device)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finetuning, "train_steps", stopped)
        with pytest.raises(KeyboardInterrupt):
            finetune(folder, entry, dataset)


def test_fine_tuning_in_two_sessions_gives_the_bytes_of_one(tmp_path, dataset, capsys):
    entry = save("sd", tmp_path / "weights")
    whole = finetune(tmp_path / "whole", entry, dataset)
    interrupt(tmp_path / "resumed", entry, dataset, step=2)
    assert [path.name for path in (tmp_path / "resumed").iterdir()] == ["checkpoint.safetensors"]
    capsys.readouterr()
    assert finetune(tmp_path / "resumed", entry, dataset) == whole
    assert "resumed after step 2\n" in capsys.readouterr().out
    assert set(whole) == {"config.json", "diffusion_pytorch_model.safetensors", "history.csv"}
    assert pd.read_csv(tmp_path / "whole" / "history.csv")["step"].tolist() == [2, 4, 6]
    assert finetune(tmp_path / "other", entry, dataset, seed=1) != whole


def test_each_step_draws_images_of_its_own(tmp_path, dataset, monkeypatch):
    whole, drawn = finetuning.as_rgb, []

    def noted(images):
        drawn.append(images.tobytes())
        return whole(images)

    monkeypatch.setattr(finetuning, "as_rgb", noted)
    finetune(tmp_path / "tuned", save("sd", tmp_path / "weights"), dataset)
    assert len(drawn) == 6
    assert len(set(drawn)) > 3  # of the 15 pairs that five images make


def test_a_checkpoint_that_began_from_other_weights_is_discarded(tmp_path, dataset, capsys):
    entry, other = save("sd", tmp_path / "weights"), save("sd", tmp_path / "others")
    model = load_autoencoder(other, CPU).model
    model.decoder.conv_out.bias.data += 0.1
    model.save_pretrained(tmp_path / "others")
    fresh = finetune(tmp_path / "fresh", other, dataset)
    interrupt(tmp_path / "run", entry, dataset, step=2)
    assert finetune(tmp_path / "run", other, dataset) == fresh
    assert "discarded" in capsys.readouterr().out


def test_the_tuned_folder_is_an_autoencoder_that_reconstructs_better(tmp_path):
    dataset = write_dataset(tmp_path / "dataset", constant=True)
    entry = save("sd", tmp_path / "weights")
    finetune(tmp_path / "tuned", entry, dataset, steps=60, checkpoint_every=20, lr=3e-3)
    history = pd.read_csv(tmp_path / "tuned" / "history.csv")
    assert history["absolute_error"].is_monotonic_decreasing
    assert history["absolute_error"].iloc[-1] < 0.7 * history["absolute_error"].iloc[0]
    assert (history["kl"] >= 0).all()
    tuned = load_autoencoder(entry | {"source": str(tmp_path / "tuned")}, CPU)
    assert (tuned.channels, tuned.factor) == (4, 8)


def test_an_error_beyond_all_numbers_stops_with_what_to_do(tmp_path, dataset):
    entry = save("sd", tmp_path / "weights")
    with pytest.raises(InputError, match=r"diverged before step \d; lower finetune.lr"):
        finetune(tmp_path / "tuned", entry, dataset, lr=1e30)


def test_grey_images_are_tuned_on_as_rgb(tmp_path):
    dataset = write_dataset(tmp_path / "dataset", channels=1)
    tuned = finetune(tmp_path / "tuned", save("sd", tmp_path / "weights"), dataset, steps=2)
    assert "diffusion_pytorch_model.safetensors" in tuned


def test_what_cannot_be_fine_tuned_is_refused(tmp_path, dataset):
    entry, tiny = save("flux2", tmp_path / "flux2"), save("tae", tmp_path / "tae")
    with pytest.raises(InputError, match="AutoencoderTiny cannot be fine-tuned: it has no posterior"):
        finetune(tmp_path / "tuned", tiny, dataset)
    with pytest.raises(InputError, match=r"weights do not fit AutoencoderKL: .* unknown"):
        finetune(tmp_path / "tuned", entry | {"class": "AutoencoderKL"}, dataset)
    assert not (tmp_path / "tuned").exists()
