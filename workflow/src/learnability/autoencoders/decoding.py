"""Decode stored latents when a classifier asks for them: to images (Table 3's image row), or only in part."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from ..errors import InputError
from ..storage.batches import Decode
from ..storage.contracts import read_json
from .decoder_blocks import LAST, cost_of_decoder, features, first_steps
from .encode import images_at_once
from .interface import Autoencoder, load_autoencoder, other_weights
from .passes import area_average, decode_batch


def decoder_of_run(
    name: str, entry: dict, files: Mapping[str, str], device: torch.device, blocks: str | None = None
) -> Decode:
    """Decode stored latents to images with the autoencoder `name` that made them; `files` are those of the run's rule.

    With `blocks`, stop after that block of the decoder (FrozenPart).
    """
    if weights := files.get("decoder"):  # fetched or fine-tuned by the workflow
        entry = entry | {"folder": str(Path(weights).parent)}
    autoencoder = load_autoencoder(entry, device)
    check_same_weights(name, autoencoder, Path(files["autoencoder"]))
    card = read_json(files["card"])
    if blocks:
        return FrozenPart(name, autoencoder, blocks, card["image_size"], card["classifier_size"])
    return image_decoder(name, autoencoder, card["classifier_size"])


def check_same_weights(name: str, autoencoder: Autoencoder, card: Path) -> None:
    """Refuse an autoencoder whose weights differ from those that `card`, an autoencoder.json, names."""
    digests = {key: value for key, value in autoencoder.provenance.items() if key.endswith("_digest")}
    if difference := other_weights(read_json(card), digests):
        raise InputError(
            f"autoencoder {name}: {card.parent} was encoded by other weights {difference} than it has now; "
            "encode anew, or bring back the weights that were used"
        )


def image_decoder(name: str, autoencoder: Autoencoder, small: int) -> Decode:
    """Decode stored latents (n, C, h, w) to uint8 (n, 3, small, small), in the way of encode_dataset."""

    def decode(z: torch.Tensor, ids: Sequence[str]) -> torch.Tensor:
        return in_chunks(
            lambda z, ids: area_average(decode_batch(name, autoencoder, z, ids), small), autoencoder, z, ids
        )

    return decode


class FrozenPart:
    """The first part of a decoder, up to the block `blocks`; it makes a classifier's batches (Decode).

    It turns stored latents (n, C, h, w) into float32 features (n, c, s, s), with s at most `largest`. For the block
    `all` they are x_hat in [-1, 1] before rounding to 8 bits. `price` holds the operations for one latent: of the
    part, and of the whole decoder.

    The features are computed again for each batch, not stored. Those of the first block of the published decoders,
    512 x 64 x 64 in float32 for an image of 512 px, take 8 MB an image: 210 GB for 25,000 images, which fits neither
    a GPU nor most disks. In a tiny study they would fit, but there they cost little to compute.
    """

    def __init__(self, name: str, autoencoder: Autoencoder, blocks: str, image_size: int, largest: int):
        self.steps, self.autoencoder, self.largest = first_steps(name, autoencoder, blocks), autoencoder, largest
        costs = cost_of_decoder(autoencoder, image_size)
        self.price = {"decoder_blocks_gflop": costs[blocks][0] / 1e9, "decoder_gflop": costs[LAST][0] / 1e9}

    def __call__(self, z: torch.Tensor, ids: Sequence[str]) -> torch.Tensor:
        return in_chunks(lambda z, _: features(self.steps, self.autoencoder, z, self.largest), self.autoencoder, z, ids)


def in_chunks(call: Decode, autoencoder: Autoencoder, z: torch.Tensor, ids: Sequence[str]) -> torch.Tensor:
    """What `call` makes of stored latents, in the autoencoder's own precision even if the classifier uses bfloat16.

    The chunks bound the memory, however large the batch. On a CPU they have as many images as encode_dataset decodes
    at once, because another size could round the last bit of a value differently. A GPU keeps to the same few, however
    large it is: the classifier needs its memory too, and Table 3 measures it.
    """
    chunk = images_at_once(z.shape[2] * autoencoder.factor, z.device)
    with torch.inference_mode(), torch.autocast(z.device.type, enabled=False), in_tf32():
        parts = [
            # The layout in which an encoder leaves it: another layout may change the last bit.
            call(part.contiguous(memory_format=torch.channels_last), ids[start : start + chunk])
            for start, part in zip(range(0, len(z), chunk), z.split(chunk), strict=True)
        ]
    # Joined outside inference mode, so that a training may use it; in the layout of stored images.
    return torch.cat(parts).contiguous(memory_format=torch.channels_last)


@contextmanager
def in_tf32() -> Iterator[None]:
    """Matrix products in TF32 if the GPU has it, as in encode_dataset; the classifier that asks keeps float32."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
