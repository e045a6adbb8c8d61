"""Reconstructions decoded from the stored latents as they are asked for, as the paper does for Table 3's image row."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from ..errors import InputError
from ..storage.batches import Decode
from ..storage.contracts import read_json
from .encode import GPU_FACTOR, PIXELS
from .interface import Autoencoder, load_autoencoder, other_weights
from .passes import area_average, decode_batch


def decoder_of_run(name: str, entry: dict, files: Mapping[str, str], device: torch.device) -> Decode:
    """Stored latents to images, by the autoencoder `name` that made them; `files` are those of the run's rule."""
    if weights := files.get("decoder"):  # fetched or fine-tuned by the workflow
        entry = entry | {"folder": str(Path(weights).parent)}
    autoencoder = load_autoencoder(entry, device)
    check_same_weights(name, autoencoder, Path(files["autoencoder"]))
    return image_decoder(name, autoencoder, read_json(files["card"])["classifier_size"])


def check_same_weights(name: str, autoencoder: Autoencoder, card: Path) -> None:
    """Refuse an autoencoder that is not the one which the autoencoder.json `card` is of."""
    digests = {key: value for key, value in autoencoder.provenance.items() if key.endswith("_digest")}
    if difference := other_weights(read_json(card), digests):
        raise InputError(
            f"autoencoder {name}: {card.parent} was encoded by other weights {difference} than those that it has now; "
            "encode anew, or bring back the weights that were used"
        )


def image_decoder(name: str, autoencoder: Autoencoder, small: int) -> Decode:
    """Decode stored latents (n, C, h, w) to uint8 (n, 3, small, small), as encode_dataset makes reconstructions.

    In chunks of the images that encode_dataset decodes at once: they bound the memory, however large the batch, and
    on a CPU another size could round the last bit of a value differently.
    """

    def decode(z: torch.Tensor, ids: Sequence[str]) -> torch.Tensor:
        side = z.shape[2] * autoencoder.factor
        chunk = max(1, PIXELS * (GPU_FACTOR if z.device.type == "cuda" else 1) // side**2)
        parts = [
            decode_chunk(name, autoencoder, part, ids[start : start + chunk], small)
            for start, part in zip(range(0, len(z), chunk), z.split(chunk), strict=True)
        ]
        # Joined outside inference mode, so that the images may enter a training; in the layout of stored images.
        return torch.cat(parts).contiguous(memory_format=torch.channels_last)

    return decode


@torch.inference_mode()
def decode_chunk(name: str, autoencoder: Autoencoder, z: torch.Tensor, ids: Sequence[str], small: int) -> torch.Tensor:
    """Decode at the autoencoder's own precision, also where a classifier around it works in bfloat16."""
    z = z.contiguous(memory_format=torch.channels_last)  # as an encoder leaves it: another layout, another last bit
    with torch.autocast(z.device.type, enabled=False), in_tf32():
        return area_average(decode_batch(name, autoencoder, z, ids), small)


@contextmanager
def in_tf32() -> Iterator[None]:
    """Matrix products in TF32 where the GPU has it, as in encode_dataset; a classifier around it keeps float32."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
