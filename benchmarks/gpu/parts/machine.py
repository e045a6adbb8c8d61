"""The device and its libraries; matrix products and copies, which bound all else; the switches of TF32."""

import contextlib
import importlib.metadata
import os
from collections.abc import Iterator

import torch

from learnability.efficiency.throughput import device_name

from ..setting import Figure, Setting, attempted

SECONDS = 25
# Dense peaks of the data sheets, operations per second: bfloat16, TF32. By the whole name, because an H100 of another
# form, or a part of one, has another peak.
PEAKS = {
    "NVIDIA H100 80GB HBM3": (989e12, 494e12),
    "NVIDIA H200": (989e12, 494e12),
    "NVIDIA A100-SXM4-40GB": (312e12, 156e12),
    "NVIDIA A100-SXM4-80GB": (312e12, 156e12),
}
PACKAGES = ("torch", "timm", "diffusers", "safetensors", "numpy", "pandas")
SWITCHES = ("cudnn.allow_tf32", "cuda.matmul.allow_tf32", "cudnn.benchmark", "cudnn.deterministic")


def peaks(setting: Setting) -> tuple[float, float] | None:
    """What the data sheet of this GPU promises in bfloat16 and TF32; None where it is not known here."""
    return PEAKS.get(device_name(setting.device)) if setting.cuda else None


def figures(setting: Setting) -> Iterator[Figure]:
    yield Figure("device", "", device_name(setting.device))
    yield Figure("cores", "", os.cpu_count())
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            yield Figure(package, "", importlib.metadata.version(package))
    torch.set_float32_matmul_precision("high")
    yield Figure("switches", "", " ".join(switches()))
    if setting.cuda:
        yield Figure("bfloat16 in hardware", "", str(torch.cuda.is_bf16_supported(including_emulation=False)))
        free, total = torch.cuda.mem_get_info()
        yield Figure("memory free of all, GB", "", f"{free / 1e9:.1f} of {total / 1e9:.1f}")
    yield from products(setting)
    yield from copies(setting)


def switches() -> list[str]:
    """The switches that decide whether float32 is TF32; mixing torch's old and new ones is refused by torch."""
    found = []
    for name in SWITCHES:
        value = torch.backends
        try:
            for part in name.split("."):
                value = getattr(value, part)
        except RuntimeError:
            value = "refused"
        found.append(f"{name}={value}")
    return found


def products(setting: Setting) -> Iterator[Figure]:
    side = setting.size(8192, 128)
    for name, dtype in (("bfloat16", torch.bfloat16), ("TF32", torch.float32)):
        a, b = (torch.randn(side, side, device=setting.device).to(dtype) for _ in range(2))

        def product(a=a, b=b) -> float:
            return 2 * side**3 * setting.rate(lambda: a @ b, 1) / 1e12

        yield from attempted(f"matrix product in {name}, TFLOP/s", "", product)


def copies(setting: Setting) -> Iterator[Figure]:
    number = setting.size(2**30, 2**20)
    x = torch.zeros(number, dtype=torch.uint8, device=setting.device)
    y = torch.empty_like(x)
    yield Figure(
        "copy on the device, GB/s read and written", "", 2 * number * setting.rate(lambda: y.copy_(x), 1) / 1e9
    )
    host = torch.zeros(number // 4, dtype=torch.uint8)
    part = x[: number // 4]
    yield Figure("to the device, GB/s", "", number / 4 * setting.rate(lambda: part.copy_(host), 1) / 1e9)
    if setting.cuda:
        pinned = host.pin_memory()
        rate = setting.rate(lambda: part.copy_(pinned, non_blocking=True), 1)
        yield Figure("to the device from pinned memory, GB/s", "", number / 4 * rate / 1e9)
