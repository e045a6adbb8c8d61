"""Decodes reconstructions from stored latents on demand, as the paper does for the image row of Table 3."""

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
    """The decoder from stored latents to images, of the autoencoder `name`; `files` are those of the run's rule."""
    if weights := files.get("decoder"):  # fetched or fine-tuned by the workflow
        entry = entry | {"folder": str(Path(weights).parent)}
    autoencoder = load_autoencoder(entry, device)
    check_same_weights(name, autoencoder, Path(files["autoencoder"]))
    return image_decoder(name, autoencoder, read_json(files["card"])["classifier_size"])


def check_same_weights(name: str, autoencoder: Autoencoder, card: Path) -> None:
    """Refuse an autoencoder other than the one described by the autoencoder.json `card`."""
    digests = {key: value for key, value in autoencoder.provenance.items() if key.endswith("_digest")}
    if difference := other_weights(read_json(card), digests):
        raise InputError(
            f"autoencoder {name}: {card.parent} was encoded by other weights {difference} than those that it has now; "
            "encode anew, or bring back the weights that were used"
        )


def image_decoder(name: str, autoencoder: Autoencoder, small: int) -> Decode:
    """Decode stored latents (n, C, h, w) to uint8 (n, 3, small, small), as encode_dataset makes reconstructions.

    Decodes in the chunks of encode_dataset: they limit the memory of any batch size, and on a CPU another size could
    round the last bit of a value differently.
    """

    def decode(z: torch.Tensor, ids: Sequence[str]) -> torch.Tensor:
        side = z.shape[2] * autoencoder.factor
        chunk = max(1, PIXELS * (GPU_FACTOR if z.device.type == "cuda" else 1) // side**2)
        parts = [
            decode_chunk(name, autoencoder, part, ids[start : start + chunk], small)
            for start, part in zip(range(0, len(z), chunk), z.split(chunk), strict=True)
        ]
        # Joined outside inference mode, so that the images may be trained on; in the memory layout of stored images.
        return torch.cat(parts).contiguous(memory_format=torch.channels_last)

    return decode


@torch.inference_mode()
def decode_chunk(name: str, autoencoder: Autoencoder, z: torch.Tensor, ids: Sequence[str], small: int) -> torch.Tensor:
    """Decode in the autoencoder's own precision, even if the classifier around it works in bfloat16."""
    z = z.contiguous(memory_format=torch.channels_last)  # an encoder's layout; another one could change the last bit
    with torch.autocast(z.device.type, enabled=False), in_tf32():
        return area_average(decode_batch(name, autoencoder, z, ids), small)


@contextmanager
def in_tf32() -> Iterator[None]:
    """Use TF32 for matrix products if the GPU has it, as in encode_dataset; the classifier around it keeps float32."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
