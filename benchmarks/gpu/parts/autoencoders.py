"""Encode and decode of the published autoencoders' shapes, random weights, in TF32 and bfloat16 against float32."""

import json
from collections.abc import Iterator

import torch

from learnability.autoencoders.families.architectures import ON_THE_HUB
from learnability.autoencoders.interface import Autoencoder, load_autoencoder
from learnability.planning.networks import count
from learnability.study.cells import resolve_autoencoder
from learnability.study.configuration import read_config

from ..setting import Figure, Setting
from .machine import peaks

SECONDS = 80
NAMES = ("flux2", "sd14", "flux1")
BATCH = 4  # images at 512 px, as a training decodes them; encode_dataset takes as many or more
NARROW = {"block_out_channels": [8, 8, 16, 16], "layers_per_block": 1, "norm_num_groups": 4}


def network(setting: Setting, name: str) -> torch.nn.Module:
    """The autoencoder of config.yaml as its repository describes it, without its weights."""
    import diffusers

    entry = resolve_autoencoder(read_config(), name)
    narrow = NARROW if setting.tiny else {}
    torch.manual_seed(0)
    built = getattr(diffusers, entry["class"])(**json.loads(json.dumps(ON_THE_HUB[entry["source"]] | narrow)))
    return built.eval().requires_grad_(False)


def entry_of(setting: Setting, name: str) -> dict:
    """The entry of an autoencoder with random weights, in a folder that the first part to ask for it writes."""
    folder = setting.scratch / "weights" / name
    if not folder.is_dir():
        network(setting, name).save_pretrained(folder)
    published = resolve_autoencoder(read_config(), name)
    return {key: published[key] for key in ("class", "role", "channels", "factor")} | {"source": str(folder)}


def figures(setting: Setting) -> Iterator[Figure]:
    for name in NAMES:
        model = load_autoencoder(entry_of(setting, name), setting.device)  # as the study lays it out in memory
        yield from precisions(setting, name, model)
        if name == NAMES[0]:
            yield from channels_first(setting, name, model)
        del model
        if setting.cuda:
            torch.cuda.empty_cache()


def channels_first(setting: Setting, name: str, model: Autoencoder) -> Iterator[Figure]:
    """What the other layout of convolutions gives; `model` keeps it."""
    rates, x = [], images(setting)
    for layout in (torch.channels_last, torch.contiguous_format):
        for layer in model.model.modules():
            if isinstance(layer, torch.nn.Conv2d):
                layer.to(memory_format=layout)
        given = x.contiguous(memory_format=layout)
        with Precision(setting, "TF32"), torch.inference_mode():
            rates.append(setting.rate(lambda x=given: round_trip(model, x), len(x)))
    yield Figure(f"{name} in TF32", "channels first, times as fast", rates[1] / rates[0])


def precisions(setting: Setting, name: str, model: Autoencoder) -> Iterator[Figure]:
    x = images(setting)
    z, truth = outputs(setting, model, x, "float32")
    forward = operations(setting, name)
    promised = peaks(setting)
    for precision in ("TF32", "bfloat16", "float32"):
        of = f"{name} in {precision}"
        found_z, found = outputs(setting, model, x, precision)
        yield Figure(of, "class", type(model.model).__name__)
        yield Figure(of, "PSNR against float32, dB", psnr_over_range(truth, found))
        yield Figure(of, "relative error of z", float((found_z - z).norm() / z.norm()))
        with Precision(setting, precision), torch.inference_mode():
            rate = setting.rate(lambda: round_trip(model, x), len(x))
            yield Figure(of, "images/s", rate)
            if precision != "float32":
                yield Figure(of, "encoded alone", setting.rate(lambda: model.encode(x), len(x)))
                yield Figure(of, "decoded alone", setting.rate(lambda: model.decode(z), len(x)))
        yield Figure(of, "TFLOP/s", forward * rate / 1e12)
        if promised and precision != "float32":
            yield Figure(of, "share of its peak", forward * rate / promised[precision == "TF32"])


class Precision(torch.autocast):
    """float32 as it is, with TF32, or with autocast to bfloat16; the switches are as before when it ends."""

    def __init__(self, setting: Setting, name: str):
        super().__init__(setting.device.type, torch.bfloat16, enabled=name == "bfloat16")
        self.tf32 = name != "float32"

    def __enter__(self):
        self.before = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
        self._set(self.tf32, "high" if self.tf32 else "highest")
        return super().__enter__()

    def __exit__(self, *error):
        self._set(*self.before)
        return super().__exit__(*error)

    def _set(self, convolutions: bool, products: str) -> None:
        torch.backends.cudnn.allow_tf32 = convolutions
        torch.set_float32_matmul_precision(products)


def images(setting: Setting) -> torch.Tensor:
    """Smooth noise in [-1, 1], in the memory layout of encode_dataset."""
    side = setting.size(512, 64)
    torch.manual_seed(1)
    coarse = torch.randn(setting.size(BATCH, 2), 3, side // 16, side // 16)
    x = torch.nn.functional.interpolate(coarse, size=(side, side), mode="bicubic").clamp(-1, 1)
    return x.to(setting.device).contiguous(memory_format=torch.channels_last)


def round_trip(model: Autoencoder, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    z = model.encode(x)
    return z, model.decode(z)


def outputs(setting: Setting, model: Autoencoder, x: torch.Tensor, precision: str) -> tuple[torch.Tensor, ...]:
    with Precision(setting, precision), torch.inference_mode():
        return round_trip(model, x)


def psnr_over_range(truth: torch.Tensor, found: torch.Tensor) -> float:
    """PSNR in dB with the range of `truth` as the peak: random weights give no range of their own."""
    error = (found - truth).double().square().mean()
    return float(10 * torch.log10((truth.max() - truth.min()).double() ** 2 / error))


def operations(setting: Setting, name: str) -> float:
    """Floating-point operations of encoding and decoding one image."""
    side = setting.size(512, 64)
    with torch.device("meta"):
        model = network(setting, name)
        latent = torch.empty(1, model.config.latent_channels, side // 8, side // 8)
        return count(model.encode, torch.empty(1, 3, side, side)) + count(model.decode, latent)
