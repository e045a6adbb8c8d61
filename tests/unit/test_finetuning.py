"""Fine-tuning an autoencoder: its losses follow the recipe, it resumes to the same bytes, it sees only what it may."""

import copy
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from learnability.autoencoders.finetuning import tuning as finetuning
from learnability.autoencoders.finetuning.adversarial import patch_discriminator
from learnability.autoencoders.finetuning.tuning import Tuning, finetune_autoencoder
from learnability.autoencoders.interface import load_autoencoder, scale_input
from learnability.commands.verify import verify
from learnability.errors import InputError
from learnability.storage.arrays import PackedWriter, open_packed
from learnability.storage.batches import Rows
from learnability.storage.checkpoints import Checkpointer
from learnability.storage.contracts import FOLDS, read_json, write_json, write_parquet
from tests.autoencoders import build, save, write_dataset
from tests.vgg import write_vgg16

CPU = torch.device("cpu")
SETTINGS = {
    "images": "all_images", "steps": 6, "batch_size": 2, "lr": 1e-3, "kl_weight": 1e-6, "perceptual": "none",
    "perceptual_weight": 1.0, "adversarial": None, "checkpoint_every": 2,
}  # fmt: skip
ADVERSARIAL = {"start": 3, "weight": 0.5, "lr": 1e-3}
FILES = {"config.json", "diffusion_pytorch_model.safetensors", "history.csv", "tuning.json"}


@pytest.fixture
def narrow(monkeypatch):
    """A discriminator of an eighth of the width; the full one would be most of the work."""
    monkeypatch.setattr(finetuning, "patch_discriminator", partial(patch_discriminator, width=8))


@pytest.fixture
def dataset(tmp_path) -> Path:
    return write_dataset(tmp_path / "dataset")


def finetune(folder: Path, entry: dict, dataset: Path, seed: int = 0, split=None, backbone=None, **changes) -> dict:
    """Fine-tune with changed settings; returns the bytes of every file that is left."""
    entry, folds = entry | {"finetune": SETTINGS | changes}, dataset / "folds.parquet" if split else None
    finetune_autoencoder(entry, dataset, seed, "code", folder, CPU, folds, split, backbone)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_tuned_weights_are_recorded_and_damaged_ones_are_not_read(tmp_path, dataset):
    entry = save("sd", tmp_path / "sd")
    folder = tmp_path / "results/weights/waves/tuned"
    finetune(folder, entry, dataset, steps=1)
    load_autoencoder(entry | {"folder": str(folder)}, CPU)
    assert verify(tmp_path / "results")[1] == {}
    for name in FILES - {"tuning.json"}:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content.replace(b"0", b"1") + b" ")
        assert verify(tmp_path / "results")[1] == {folder / name: folder / "tuning.json"}
        with pytest.raises(InputError, match=rf"{name}: damaged, not what tuning\.json says"):
            load_autoencoder(entry | {"folder": str(folder)}, CPU)
        (folder / name).write_bytes(content)


def interrupt(folder: Path, entry: dict, dataset: Path, step: int, **changes) -> None:
    """Fine-tune until `step` is about to be taken."""
    whole = Tuning.step

    def stopped(tuning, now, x):
        if now == step:
            raise KeyboardInterrupt
        return whole(tuning, now, x)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Tuning, "step", stopped)
        with pytest.raises(KeyboardInterrupt):
            finetune(folder, entry, dataset, **changes)


def tuning(seed: int = 0, **changes) -> Tuning:
    return Tuning(build("sd"), SETTINGS | changes, seed, CPU)


def batch() -> torch.Tensor:
    """Two smooth images (2, 3, 64, 64) in [-1, 1]."""
    y, x = torch.meshgrid(torch.linspace(0, 5, 64), torch.linspace(0, 3, 64), indexing="ij")
    return torch.stack([torch.stack([torch.sin(a * x + y), torch.cos(y * a), x / 3]) for a in (1, 2)])


def flat(network: torch.nn.Module, gradients: bool = False) -> torch.Tensor:
    return torch.cat([(w.grad if gradients else w.detach()).reshape(-1) for w in network.parameters()])


def assert_gradients(network: torch.nn.Module, by_hand: torch.nn.Module) -> None:
    """Two copies of a network must have the same gradients."""
    expected = flat(by_hand, gradients=True)
    torch.testing.assert_close(
        flat(network, gradients=True), expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max())
    )


class Scaled:
    """Stands in for LPIPS: a distance that can be worked out by hand."""

    def __call__(self, x, x_hat):
        return (x - x_hat).square().mean((1, 2, 3))


# The losses


def test_the_reconstruction_loss_by_hand():
    tuned = tuning(perceptual_weight=0.7)
    tuned.perceptual = Scaled()
    x, x_hat = batch().numpy(), batch().flip(0).numpy()
    by_pixel = np.abs(x - x_hat) + 0.7 * ((x - x_hat) ** 2).mean((1, 2, 3)).reshape(2, 1, 1, 1)
    loss, curves = tuned.reconstruction_loss(torch.from_numpy(x), torch.from_numpy(x_hat))
    assert loss.item() == pytest.approx(by_pixel.sum() / 2, rel=1e-5)
    assert curves["absolute_error"].item() == pytest.approx(np.abs(x - x_hat).mean(), rel=1e-5)
    assert curves["perceptual"].item() == pytest.approx(((x - x_hat) ** 2).mean(), rel=1e-5)


def test_without_a_perceptual_term_the_loss_is_the_sum_of_absolute_errors():
    loss, curves = tuning().reconstruction_loss(batch(), batch() + 0.25)
    assert loss.item() == pytest.approx(0.25 * 3 * 64 * 64, rel=1e-5)
    assert set(curves) == {"absolute_error"}


def test_a_step_of_the_autoencoder_takes_the_gradient_of_the_whole_formula():
    """Autograd differentiates it in one piece, including the adaptive weight."""
    tuned, x = tuning(adversarial=ADVERSARIAL, kl_weight=0.5), batch()
    tuned.perceptual = Scaled()
    networks = copy.deepcopy(tuned.networks)
    model, discriminator = networks["autoencoder"], networks["discriminator"]
    torch.manual_seed(5)
    curves = tuned.step_autoencoder(x, adversarial=True)

    torch.manual_seed(5)
    posterior = model.encode(x).latent_dist
    x_hat = model.decode(posterior.sample()).sample
    mean, logvar = posterior.mean, posterior.logvar
    kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).sum() / 2
    nll = ((x - x_hat).abs() + (x - x_hat).square().mean((1, 2, 3), keepdim=True)).sum() / 2
    generator = -discriminator(x_hat).mean()
    last = model.decoder.conv_out.weight
    norms = [torch.autograd.grad(loss, last, retain_graph=True)[0].norm() for loss in (nll, generator)]
    weight = 0.5 * (norms[0] / (norms[1] + 1e-4)).clamp(0, 1e4)
    (nll + 0.5 * kl + weight.detach() * generator).backward()

    assert curves["adversarial_weight"].item() == pytest.approx(weight.item(), rel=1e-4)
    assert curves["generator_loss"].item() == pytest.approx(generator.item(), rel=1e-4)
    assert curves["kl"].item() == pytest.approx(kl.item(), rel=1e-5)
    assert_gradients(tuned.networks["autoencoder"], model)
    assert all(weight.grad is None for weight in tuned.networks["discriminator"].parameters())
    assert 1e-4 < norms[0] / norms[1] < 1e4  # nothing is clipped: the two terms pull equally hard, but for the 0.5


def test_a_step_of_the_discriminator_takes_the_gradient_of_the_hinge_loss():
    tuned, x = tuning(adversarial=ADVERSARIAL), batch()
    networks = copy.deepcopy(tuned.networks)
    torch.manual_seed(5)
    curves = tuned.step_discriminator(x)
    torch.manual_seed(5)
    with torch.no_grad():
        x_hat = networks["autoencoder"].decode(networks["autoencoder"].encode(x).latent_dist.sample()).sample
    real, fake = networks["discriminator"](x), networks["discriminator"](x_hat)
    loss = ((1 - real).clamp(min=0).mean() + (1 + fake).clamp(min=0).mean()) / 2
    loss.backward()
    assert curves["discriminator_loss"].item() == pytest.approx(loss.item(), rel=1e-5)
    torch.testing.assert_close(
        flat(tuned.networks["discriminator"], gradients=True), flat(networks["discriminator"], gradients=True)
    )


def test_after_the_start_even_steps_update_the_autoencoder_and_odd_ones_the_discriminator():
    tuned = tuning(adversarial=ADVERSARIAL)  # starts at step 3
    taken = []
    for step in range(7):
        before = {name: flat(network) for name, network in tuned.networks.items()}
        curves = tuned.step(step, batch())
        changed = [name for name, network in tuned.networks.items() if not torch.equal(flat(network), before[name])]
        taken.append((*changed, "generator_loss" in curves))
    plain, balanced, other = ("autoencoder", False), ("autoencoder", True), ("discriminator", False)
    assert taken == [plain, plain, plain, other, balanced, other, balanced]


def test_the_optimisers_are_those_of_the_recipe():
    tuned = tuning(adversarial=ADVERSARIAL | {"lr": 7e-4})
    assert [(type(o), o.defaults["lr"], o.defaults["betas"]) for o in tuned.optimisers] == [
        (torch.optim.Adam, 1e-3, (0.5, 0.9)), (torch.optim.Adam, 7e-4, (0.5, 0.9)),
    ]  # fmt: skip
    numbers = [sum(weight.numel() for weight in o.param_groups[0]["params"]) for o in tuned.optimisers]
    assert numbers == [sum(weight.numel() for weight in network.parameters()) for network in tuned.networks.values()]


def test_the_discriminator_starts_as_the_seed_says():
    first, second, other = (tuning(seed, adversarial=ADVERSARIAL).networks["discriminator"] for seed in (0, 0, 1))
    assert torch.equal(flat(first), flat(second))
    assert not torch.equal(flat(first), flat(other))


@pytest.mark.parametrize("scaling", ["fixed", "minmax"])
def test_images_are_fed_as_the_encoding_feeds_them(tmp_path, scaling):
    colour = torch.randint(0, 200, (2, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    rgb, grey = (Tuning(build(name), SETTINGS | {"input": scaling}, 0, CPU) for name in ("sd", "grey"))
    expected = scale_input(colour, {"input": scaling})
    assert torch.equal(rgb.as_input(colour), expected)
    assert torch.equal(grey.as_input(colour), expected.mean(dim=1, keepdim=True))
    one = scale_input(colour[:, 1:2], {"input": scaling})
    assert torch.equal(rgb.as_input(colour[:, 1:2]), one.expand(-1, 3, -1, -1))
    torch.testing.assert_close(grey.as_input(colour[:, 1:2]), one)


# The training


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("adversarial", [None, ADVERSARIAL, ADVERSARIAL | {"start": 5}], ids=["none", "3", "5"])
def test_fine_tuning_killed_between_checkpoints_gives_the_bytes_of_one_session(tmp_path, dataset, capsys, adversarial):
    """The discriminator begins before the checkpoint that is resumed, or after it."""
    entry, changes = save("sd", tmp_path / "weights"), {"adversarial": adversarial, "steps": 9, "checkpoint_every": 4}
    whole = finetune(tmp_path / "whole", entry, dataset, **changes)
    interrupt(tmp_path / "resumed", entry, dataset, step=6, **changes)
    assert [path.name for path in (tmp_path / "resumed").iterdir()] == ["checkpoint.safetensors"]
    capsys.readouterr()
    assert finetune(tmp_path / "resumed", entry, dataset, **changes) == whole
    assert "resumed after step 4\n" in capsys.readouterr().out
    assert set(whole) == FILES
    assert pd.read_csv(tmp_path / "whole" / "history.csv")["step"].tolist() == [4, 8, 9]
    assert finetune(tmp_path / "other", entry, dataset, seed=1, **changes) != whole


@pytest.mark.usefixtures("narrow")
def test_the_history_says_what_there_was_and_what_does_not_apply(tmp_path, dataset):
    finetune(tmp_path / "tuned", save("sd", tmp_path / "weights"), dataset, adversarial=ADVERSARIAL)
    history = pd.read_csv(tmp_path / "tuned" / "history.csv", keep_default_na=False)
    assert list(history) == ["step", *finetuning.CURVES]
    adversarial = history[["generator_loss", "adversarial_weight", "discriminator_loss"]]
    # The steps before the second checkpoint are 2, of the autoencoder alone, and 3, of the discriminator alone.
    assert (adversarial == "n/a").to_numpy().tolist() == [[True] * 3, [True, True, False], [False] * 3]
    assert (history["perceptual"] == "n/a").all()
    assert (history[["absolute_error", "kl"]].astype(float) > 0).all(axis=None)


def test_the_mean_of_a_curve_is_over_the_steps_that_have_it(monkeypatch, dataset):
    tuned = tuning()
    values = iter([{"kl": torch.tensor(1.0)}, {"discriminator_loss": torch.tensor(5.0)}, {"kl": torch.tensor(2.0)}])
    monkeypatch.setattr(tuned, "step", lambda *_: next(values))
    rows = Rows(open_packed(dataset / "images.npy"), CPU, channels_last=True, keep=False)
    means = finetuning.train_steps(
        tuned, rows, np.arange(5), range(3), Checkpointer(dataset / "none", "me", tuned.networks, tuned.optimisers, {})
    )
    assert (means["kl"], means["discriminator_loss"], means["absolute_error"]) == (1.5, 5.0, "n/a")


def test_each_step_draws_images_of_its_own(tmp_path, dataset, monkeypatch):
    drawn = []
    whole = Tuning.as_input
    monkeypatch.setattr(Tuning, "as_input", lambda self, x: drawn.append(x.numpy().tobytes()) or whole(self, x))
    finetune(tmp_path / "tuned", save("sd", tmp_path / "weights"), dataset)
    assert len(drawn) == 6
    assert len(set(drawn)) > 3  # out of 15 pairs of five images


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
    assert str(tmp_path) not in (tmp_path / "tuned" / "config.json").read_text()


def test_the_whole_recipe_runs_with_lpips_and_its_backbone_is_part_of_the_identity(tmp_path, dataset, monkeypatch):
    backbone, entry = write_vgg16(monkeypatch, tmp_path / "vgg16"), save("sd", tmp_path / "weights")
    recipe = {"perceptual": "lpips", "adversarial": ADVERSARIAL | {"start": 0}, "backbone": backbone}
    finetune(tmp_path / "tuned", entry, dataset, steps=2, **recipe)
    history = pd.read_csv(tmp_path / "tuned" / "history.csv", keep_default_na=False)
    assert "n/a" not in history.iloc[0].tolist()
    assert float(history["perceptual"][0]) > 0
    interrupt(tmp_path / "run", entry, dataset, step=2, steps=3, **recipe)
    save_file({name: tensor * 1.01 for name, tensor in load_file(backbone).items()}, backbone)
    interrupt(tmp_path / "run", entry, dataset, step=0, steps=3, **recipe)  # begins anew


@pytest.mark.usefixtures("narrow")
def test_a_base_of_one_channel_is_tuned_on_grey(tmp_path, dataset):
    import diffusers

    config = {key: value for key, value in build("sd").config.items() if not key.startswith("_")}
    grey = diffusers.AutoencoderKL(**config | {"in_channels": 1, "out_channels": 1})
    grey.save_pretrained(tmp_path / "grey")
    entry = {"class": "AutoencoderKL", "source": str(tmp_path / "grey"), "channels": 4, "factor": 8, "role": "family"}
    assert set(finetune(tmp_path / "tuned", entry, dataset, adversarial=ADVERSARIAL)) == FILES
    assert Tuning(grey, SETTINGS | {"adversarial": ADVERSARIAL}, 0, CPU).networks["discriminator"][0].in_channels == 1


def test_grey_images_are_tuned_on_as_rgb(tmp_path):
    dataset = write_dataset(tmp_path / "dataset", channels=1)
    assert set(finetune(tmp_path / "tuned", save("sd", tmp_path / "weights"), dataset, steps=2)) == FILES


# What it may see


def poison(dataset: Path, rows: list[int]) -> None:
    images = np.array(open_packed(dataset / "images.npy"))
    images[rows] = 255 - images[rows]
    with PackedWriter(dataset / "images.npy", images.shape[1:], "uint8") as writer:
        writer.write(images)
    write_json(read_json(dataset / "dataset.json") | {"digest": writer.digest}, dataset / "dataset.json")


def test_damaged_images_are_not_tuned_on(tmp_path):
    dataset, entry = write_dataset(tmp_path / "dataset"), save("sd", tmp_path / "weights")
    card = read_json(dataset / "dataset.json")
    poison(dataset, [2])
    write_json(card, dataset / "dataset.json")
    with pytest.raises(InputError, match=r"images\.npy: damaged, not what digest of dataset\.json says"):
        finetune(tmp_path / "tuned", entry, dataset)


def test_fine_tuned_for_a_fold_it_sees_the_training_images_of_that_fold_and_no_other(tmp_path):
    dataset = write_dataset(tmp_path / "dataset", number=10)
    names = [f"image{i}" for i in range(10)]
    write_parquet(
        pd.DataFrame({"sample_id": names, "fold": [i % 5 for i in range(10)]})[FOLDS], dataset / "folds.parquet"
    )
    entry, split = save("sd", tmp_path / "weights"), {"fold": 3, "n_splits": 5}
    clean = finetune(tmp_path / "clean", entry, dataset, split=split)
    whole = finetune(tmp_path / "whole", entry, dataset)
    assert finetune(tmp_path / "other", entry, dataset, split={"fold": 1, "n_splits": 5}) != clean
    poison(dataset, [3, 8, 4, 9])  # the test fold, and the one after it, which validates
    assert finetune(tmp_path / "poisoned", entry, dataset, split=split) == clean
    assert finetune(tmp_path / "poisoned_whole", entry, dataset) != whole
    poison(dataset, [0, 1, 2, 5, 6, 7])
    assert finetune(tmp_path / "trained", entry, dataset, split=split) != clean


def test_every_training_image_may_be_seen(tmp_path):
    dataset = write_dataset(tmp_path / "dataset", number=10)
    frame = pd.DataFrame({"sample_id": [f"image{i}" for i in range(10)], "fold": [i % 5 for i in range(10)]})
    write_parquet(frame[FOLDS], dataset / "folds.parquet")
    rows = finetuning.training_rows(dataset, dataset / "folds.parquet", fold=4, n_splits=5)
    assert rows.tolist() == [1, 2, 3, 6, 7, 8]


# What is refused


def test_an_error_beyond_all_numbers_stops_with_what_to_do(tmp_path, dataset):
    entry = save("sd", tmp_path / "weights")
    with pytest.raises(InputError, match=r"diverged before step \d; lower finetune.lr, or adversarial.lr"):
        finetune(tmp_path / "tuned", entry, dataset, lr=1e30)
    assert not (tmp_path / "tuned").exists()


def test_weights_that_the_last_step_ruined_are_not_written(tmp_path, dataset, monkeypatch):
    whole = Tuning.step

    def ruined(tuned, step, x):
        curves = whole(tuned, step, x)
        next(tuned.networks.parameters()).data.fill_(torch.nan)
        return curves

    monkeypatch.setattr(Tuning, "step", ruined)
    with pytest.raises(InputError, match="diverged before step 1"):
        finetune(tmp_path / "tuned", save("sd", tmp_path / "weights"), dataset, steps=1)


def test_lpips_without_its_backbone_stops_before_the_first_step(tmp_path, dataset, monkeypatch):
    backbone = write_vgg16(monkeypatch, tmp_path / "vgg16")
    backbone.unlink()
    monkeypatch.setattr(Tuning, "step", None)
    changes = {"perceptual": "lpips", "backbone": backbone}
    with pytest.raises(InputError, match=r"model.safetensors: does not hold VGG16 .*fetch pretrained.vgg16 again"):
        finetune(tmp_path / "tuned", save("sd", tmp_path / "weights"), dataset, **changes)
    assert not (tmp_path / "tuned").exists()


def test_a_base_that_encodes_in_half_precision_is_tuned_in_single(tmp_path, dataset):
    entry = save("sd", tmp_path / "weights")
    half = finetune(tmp_path / "half", entry | {"torch_dtype": "bfloat16"}, dataset)
    assert (
        half["diffusion_pytorch_model.safetensors"]
        == finetune(tmp_path / "single", entry, dataset)["diffusion_pytorch_model.safetensors"]
    )


def test_images_smaller_than_a_patch_are_refused(tmp_path):
    with pytest.raises(InputError, match="image_size 16 is too small for the discriminator, which needs 24"):
        finetuning.check_finetuning({"class": "AutoencoderKL", "finetune": {"adversarial": ADVERSARIAL}}, 16)


def test_what_cannot_be_fine_tuned_is_refused(tmp_path, dataset):
    entry, quantised = save("flux2", tmp_path / "flux2"), save("vq", tmp_path / "vq")
    with pytest.raises(InputError, match=r"VQModel cannot be fine-tuned; take a base of .*AutoencoderTiny"):
        finetune(tmp_path / "tuned", quantised, dataset)
    with pytest.raises(InputError, match=r"weights do not fit AutoencoderKL: .* unknown"):
        finetune(tmp_path / "tuned", entry | {"class": "AutoencoderKL"}, dataset)
    assert not (tmp_path / "tuned").exists()
