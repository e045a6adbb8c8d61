"""Writes image files that Pillow does not, byte by byte: deep PNG and TIFF, and optional marks in a file."""

import struct
import zlib

import numpy as np


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    pixels: np.ndarray, colour_type: int, before: bytes = b"", after: bytes = b"", depth: int | None = None
) -> bytes:
    """A PNG of uint8 or uint16 pixels (H, W[, C]); chunks may stand before and after the image data.

    With a `depth` below 8 each value is a byte of packed pixels.
    """
    size = pixels.dtype.itemsize * 8
    width = pixels.shape[1] * (size // (depth or size))
    header = struct.pack(">IIBBBBB", width, len(pixels), depth or size, colour_type, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(row.dtype.newbyteorder(">")).tobytes() for row in pixels)
    data = before + png_chunk(b"IDAT", zlib.compress(rows)) + after
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + data + png_chunk(b"IEND", b"")


def tiff(pixels: np.ndarray, photometric: int, extra: tuple[int, ...] = (), tags=()) -> bytes:
    """An uncompressed little-endian TIFF of pixels (H, W[, C]); `tags` are further (tag, values of 16 bits)."""
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    kind = {"u": 1, "i": 2, "f": 3}[pixels.dtype.kind]
    fields = {
        256: [pixels.shape[1]], 257: [pixels.shape[0]], 258: [pixels.dtype.itemsize * 8] * channels, 259: [1],
        262: [photometric], 273: [8], 277: [channels], 278: [pixels.shape[0]], 279: [pixels.nbytes],
        339: [kind] * channels,
    } | ({338: list(extra)} if extra else {}) | {tag: list(values) for tag, values in tags}  # fmt: skip
    data = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    long_ones, entries = b"", b""
    start = 8 + len(data)  # where values begin that do not fit into an entry; the directory follows
    for tag, values in sorted(fields.items()):
        packed = struct.pack(f"<{len(values)}H", *values)
        if len(packed) > 4:
            place = struct.pack("<I", start + len(long_ones))
            long_ones += packed
        else:
            place = packed.ljust(4, b"\0")
        entries += struct.pack("<HHI", tag, 3, len(values)) + place
    directory = struct.pack("<H", len(fields)) + entries + bytes(4)
    return struct.pack("<2sHI", b"II", 42, start + len(long_ones)) + data + long_ones + directory
