"""Training steps and passes on tensors that say they lie on a GPU and hold nothing, so that no GPU is needed.

Operations on them fail where devices or types do not agree, as on a GPU, and where the host would wait for a value.
Autocast is that of CUDA. Gradients need a device: steps end where they begin, and the optimiser takes made-up ones.
"""

import pytest
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from learnability.autoencoders.families.diffusers_family import DiffusersAutoencoder
from learnability.autoencoders.fidelity import psnr
from learnability.autoencoders.finetuning.equivariance import Change
from learnability.autoencoders.finetuning.tuning import Tuning
from learnability.autoencoders.interface import scale_input
from learnability.autoencoders.passes import area_average, to_grey_levels
from learnability.autoencoders.symmetries import turn
from learnability.classifiers.classifier import build_classifier
from learnability.classifiers.noise import vp
from learnability.diagnostics import spectra
from learnability.diagnostics.latents import Diagnosis
from learnability.training.engine import train_step
from learnability.training.losses import build_loss
from tests.autoencoders import build
from tests.networks import GRID, described
from tests.recipes import DISTILL, recipe_of

GPU = torch.device("cuda")
LATENT = {"augment": []}
NOISES = {
    "noise on a grid": GRID,
    "log-normal noise": {"family": "edm", "draw": "lognormal"},
    "noise of flow": {"family": "flow", "draw": "logit_normal"},
    "noise of diffusion": {"family": "vp", "draw": "uniform"},
}
RECIPES = {  # what a recipe changes, and the network that it trains
    "augmented images": ({}, described(3, "resnet18")),
    "masked latents": (LATENT | {"mask": 0.2}, described(4)),
    "a teacher": (LATENT | {"distill": DISTILL}, described(4)),
    "a teacher's probabilities": (LATENT | {"distill": DISTILL | {"loss": "kl"}}, described(4)),
    **{
        name: (LATENT | {"film": True, "noise": noise}, described(4, film=True, noise=recipe_of(noise=noise).noise))
        for name, noise in NOISES.items()
    },
    "a cosine head": (LATENT, described(4, head="cosine")),
    "a rotation": (LATENT, described(4) | {"transform": {"kind": "rotate", "seed": 0}}),
    "a low pass": (LATENT, described(4) | {"transform": {"kind": "low_pass", "cutoff": 0.5}}),
    "a probe": (LATENT, described(4) | {"model": "probe_attention", "model_options": {}, "stem_patch": None}),
}


@pytest.fixture
def mode(monkeypatch) -> FakeTensorMode:
    """Tensors that are made within hold nothing. CUDA's autocast believes that there is a GPU."""
    monkeypatch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *given, **named: True)
    mode = FakeTensorMode(allow_non_fake_inputs=False)
    table = vp.schedule(torch.device("cpu"))
    monkeypatch.setattr(vp, "schedule", lambda device: table if device.type == "cpu" else moved(mode, table))
    return mode


def moved(mode: TorchDispatchMode, tensor: torch.Tensor) -> torch.Tensor:
    """The like of a tensor on the GPU, in the same layout."""
    with mode:
        found = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=GPU)
    return torch.nn.Parameter(found, tensor.requires_grad) if isinstance(tensor, torch.nn.Parameter) else found


def on_gpu(mode: TorchDispatchMode, network: torch.nn.Module) -> torch.nn.Module:
    """The network, whose tensors are on the GPU."""
    for module in network.to(memory_format=torch.channels_last).modules():
        for held in (module._parameters, module._buffers):
            held |= {name: moved(mode, tensor) for name, tensor in held.items() if tensor is not None}
    return network


class Step:
    """The step of a recipe, with all that it takes on the GPU."""

    def __init__(self, mode: FakeTensorMode, changes: dict, description: dict, monkeypatch):
        self.mode, self.recipe, self.classes = mode, recipe_of(**changes), len(description["classes"])
        self.model = on_gpu(mode, build_classifier(description).train())
        self.loss = build_loss(self.recipe, torch.tensor([5, 3, 2]))
        supervised = getattr(self.loss, "supervised", self.loss)
        supervised.margins, supervised.weights = (
            moved(mode, each) for each in (supervised.margins, supervised.weights)
        )
        self.optimiser = torch.optim.Adam(self.model.parameters(), fused=True)
        self.types = []
        self.model.network.get_classifier().register_forward_pre_hook(lambda _, x: self.types.append(x[0].dtype))
        monkeypatch.setattr(torch.Tensor, "backward", self.make_up_gradients)
        with mode:
            dtype = torch.uint8 if description["in_channels"] == 3 else torch.float16
            self.x = torch.zeros(8, description["in_channels"], *description["grid"], dtype=dtype, device=GPU)
            self.label = torch.zeros(8, dtype=torch.int64, device=GPU)
            self.teacher = torch.zeros(8, self.classes, device=GPU) if self.recipe.distill else None

    def make_up_gradients(self, *_) -> None:
        for weight in self.model.parameters():
            weight.grad = torch.zeros_like(weight)

    def __call__(self, epoch: int) -> torch.Tensor:
        with self.mode:
            given = (self.model, self.x, self.label, epoch, self.loss, self.optimiser, self.recipe, self.teacher)
            return train_step(*given)


@pytest.mark.parametrize("name", RECIPES)
def test_devices_and_types_of_a_step_agree_and_the_host_waits_for_nothing(mode, monkeypatch, name):
    step = Step(mode, *RECIPES[name], monkeypatch)
    for epoch in (1, 5):  # before and after the classes are weighted
        value = step(epoch)
        assert (value.device.type, value.dtype) == ("cuda", torch.float32)
    if name in ("augmented images", "a probe"):  # elsewhere a norm, which is in float32, comes last
        assert step.types[-1] == torch.bfloat16


def test_a_step_with_a_label_on_the_host_would_fail(mode, monkeypatch):
    step = Step(mode, *RECIPES["masked latents"], monkeypatch)
    with mode:
        step.label = torch.zeros(8, dtype=torch.int64)
    with pytest.raises(RuntimeError, match="cpu"):
        step(1)


def test_a_step_that_reads_its_loss_would_be_noticed(mode, monkeypatch):
    step = Step(mode, *RECIPES["masked latents"], monkeypatch)
    step.loss = lambda logits, label, epoch: logits.sum() * float(logits.detach().sum())
    with pytest.raises(DataDependentOutputException):
        step(1)


@pytest.mark.parametrize("name", ["sd", "flux2", "tae", "vq", "grey"])
def test_devices_and_types_of_a_pass_agree(mode, name):
    autoencoder = DiffusersAutoencoder.__new__(DiffusersAutoencoder)
    autoencoder.model, autoencoder.packing = on_gpu(mode, build(name).requires_grad_(False)), None
    with mode, torch.no_grad():
        images = torch.zeros(2, 64, 64, 3, dtype=torch.uint8, device=GPU).permute(0, 3, 1, 2)
        x = scale_input(turn(images, torch.zeros(2, dtype=torch.int64, device=GPU)), {"input": "minmax"})
        z, _ = autoencoder.posterior(x)
        x_hat = to_grey_levels(autoencoder.decode(z.half().float()))
        small, quality = area_average(x_hat, 32), psnr(to_grey_levels(x), x_hat)
    assert {each.device.type for each in (z, x_hat, small, quality)} == {"cuda"}
    assert (z.dtype, small.dtype, quality.dtype) == (torch.float32, torch.uint8, torch.float64)


@pytest.mark.parametrize("name", ["sd", "tae", "grey"])
def test_devices_of_fine_tuning_agree(mode, name):
    settings = {"lr": 1e-5, "steps": 9, "adversarial": {"start": 0, "weight": 0.5, "lr": 1e-5}, "factor": 8}
    tuning = Tuning(build(name), settings | {"input": "fixed"}, 0, torch.device("cpu"))
    on_gpu(mode, tuning.networks)
    with mode:
        x = tuning.as_input(torch.zeros(2, 3, 64, 64, dtype=torch.uint8, device=GPU))
        x, x_hat, _ = tuning.reconstruct(x, Change(4, 8, 1))
        loss, curves = tuning.reconstruction_loss(x, x_hat)
        judged = tuning.networks["discriminator"](x_hat)
    assert {each.device.type for each in (loss, judged, *curves.values())} == {"cuda"}


def test_devices_of_a_diagnosis_agree(mode, monkeypatch):
    monkeypatch.setattr(spectra, "dct_matrix", spectra.dct_matrix.__wrapped__)  # no matrix that was kept from elsewhere
    diagnosis = Diagnosis("raw")
    with mode:
        for _ in range(2):
            diagnosis.add(torch.zeros(8, 4, 16, 16, device=GPU))
        found = diagnosis.pooled, diagnosis.found.covariance, diagnosis.found.fourier, diagnosis.positions.share
    assert {each.device.type for each in found} == {"cuda"}
