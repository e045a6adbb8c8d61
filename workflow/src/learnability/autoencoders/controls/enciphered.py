"""The control that keeps every bit of an image but lets no learner read any."""

import hashlib

import numpy as np
import torch
import torch.nn.functional as F

from ...errors import InputError
from ..latent_units import IDENTITY

KEY_BYTES = 8
KEYS = 2 ** (8 * KEY_BYTES)


class Enciphered:
    """Lossless and unreadable: the bytes of `pixel_unshuffle`, enciphered for each image. Its gap is known.

    b are the bytes of one image's `pixel_unshuffle`, the key is the first 8 bytes of SHA-256(b), and z is (b + stream)
    mod 256, where the stream is that of 64-bit Philox with this key. One more channel repeats the key's bytes, so that
    `decode` gives the image back byte for byte. Latents of two images have nothing in common unless the images are
    equal. So a classifier of K classes scores 1/K on unseen images, and more only if images are repeated.

    `share` enciphers only the images whose key, read as a whole number (big-endian), is below share · 2^64, about this
    part of them: the gap of a lesser dose.
    """

    latent_dtype, decodes, pipeline = "uint8", True, IDENTITY

    def __init__(self, factor: int, share: float):
        self.factor, self.channels, self.share = factor, 3 * factor * factor + 1, share
        part = "" if share == 1 else f" of {share:g} of the images"
        self.provenance = {"source": f"enciphered pixels{part}", "weights_digest": None, "parameters": 0}

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W) in [-1, 1] -> (N, 3 f f + 1, H / f, W / f) in 0..255."""
        blocks = F.pixel_unshuffle((x + 1) * 127.5, self.factor).round().clamp(0, 255).to(torch.uint8)
        z = np.stack([self._encipher(b) for b in np.ascontiguousarray(blocks.cpu().numpy())])
        return torch.from_numpy(z).to(x.device)

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        rows = np.ascontiguousarray(z.to(torch.uint8).cpu().numpy())
        blocks = np.stack([row[:-1] - self._stream(row[-1].tobytes()[:KEY_BYTES], row[:-1].shape) for row in rows])
        return F.pixel_shuffle(torch.from_numpy(blocks).to(z.device).float(), self.factor) / 127.5 - 1

    def _encipher(self, b: np.ndarray) -> np.ndarray:
        """uint8 (3 f f, h, w) of one image -> uint8 (3 f f + 1, h, w)."""
        grid = b.shape[1:]
        if grid[0] * grid[1] < KEY_BYTES:
            raise InputError(
                f"a latent of {grid[0]} x {grid[1]} positions has no room for the {KEY_BYTES} bytes of a key; enlarge "
                "image_size, or take a smaller factor"
            )
        key = hashlib.sha256(b.tobytes()).digest()[:KEY_BYTES]
        channel = np.resize(np.frombuffer(key, np.uint8), grid)[None]
        return np.concatenate([b + self._stream(key, b.shape), channel])

    def _stream(self, key: bytes, shape: tuple[int, ...]) -> np.ndarray:
        """The stream that is added to an image's bytes modulo 256; zeros if its key leaves the image as it is."""
        number, size = int.from_bytes(key, "big"), int(np.prod(shape))
        if number >= self.share * KEYS:
            return np.zeros(shape, np.uint8)
        words = np.random.Philox(key=number).random_raw(-(-size // 8)).astype("<u8")
        return words.view(np.uint8)[:size].reshape(shape)


def build(entry: dict, device: torch.device) -> Enciphered:
    return Enciphered(entry["factor"], **{"share": 1} | entry.get("options", {}))  # the schema has checked these
