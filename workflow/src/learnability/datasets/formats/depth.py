"""What an image file says about its own pixels. Pillow often returns 8 bits even if the file has more."""

import re
import struct
from pathlib import Path

from PIL import Image

BITS, PHOTOMETRIC, EXTRA_SAMPLES, COLOUR_MAP, SAMPLE_FORMAT = 258, 262, 338, 320, 339  # tags of a TIFF
CODESTREAM = b"\xff\x4f\xff\x51"  # the first bytes of a JPEG 2000 codestream


def check_pixels(image: Image.Image, path: str | Path) -> None:
    """Raise OSError unless an image file is a single picture of unsigned values of at most 8 bits.

    `image` is opened but not loaded. Its header is read again, because the mode only says what Pillow makes of it.
    """
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        raise OSError(f"{path}: {frames} pages or frames; expected one image per file")
    refused = CHECKS[image.format](image, Path(path))
    if refused or image.mode.startswith(("I", "F")):
        raise OSError(
            f"{path}: {refused or f'{image.mode} pixels'}; expected 8 bits a channel: convert it first, with a window "
            "of your choice"
        )


def _always_8_bits(image: Image.Image, path: Path) -> str:
    """GIF, BMP and WebP have at most 8 bits; Pillow refuses a JPEG of 12 bits when it opens it."""
    return ""


def _png(image: Image.Image, path: Path) -> str:
    with path.open("rb") as file:
        depth = file.read(25)[-1]  # of IHDR, always the first chunk
    if depth > 8:
        return f"{depth} bits a channel"
    if image.mode == "L" and depth < 8 and "transparency" in image.info:  # Pillow compares it with scaled values
        return f"grey levels of {depth} bits with a transparent one"
    return ""


def _tiff(image: Image.Image, path: Path) -> str:
    tags = image.tag_v2
    bits, kinds = tags.get(BITS, (1,)), tags.get(SAMPLE_FORMAT, (1,))
    if max(bits) > 8:
        return f"{max(bits)} bits a channel"
    if set(kinds) != {1}:
        return "signed or floating-point values"
    extra = tags.get(EXTRA_SAMPLES, ())
    if 0 in extra or (tags.get(PHOTOMETRIC) == 2 and len(bits) > 3 + len(extra)):
        return "more channels than colours, of which it does not say what they are"
    if COLOUR_MAP in tags and max(tags[COLOUR_MAP]) < 256:  # the standard has 16 bits; this map would come out black
        return "a palette of 8-bit values where a TIFF has 16-bit ones"
    return ""


def _ppm(image: Image.Image, path: Path) -> str:
    row = image.width * len(image.getbands()) if image.mode != "1" else -(-image.width // 8)  # bytes
    with path.open("rb") as file:
        kind, *_, highest = re.sub(rb"#[^\r\n]*", b" ", file.read(image.tile[0].offset)).split()
        file.seek(row * image.height, 1)
        more = file.read(16).lstrip()
    if kind not in (b"P1", b"P4") and not (highest.isdigit() and int(highest) < 256):  # P1 and P4 are black and white
        return f"largest value {highest.decode('ascii', 'replace')}"
    return "several images, one behind the other" if kind in (b"P4", b"P5", b"P6") and more.startswith(b"P") else ""


def _jpeg2000(image: Image.Image, path: Path) -> str:
    with path.open("rb") as file:
        header, start = _find_codestream(file)
        if start is None:
            return "no codestream"
        file.seek(start)
        size = file.read(int.from_bytes(file.read(2)) - 2)  # marker SIZ, after its length
    components = size[36::3]  # a byte per component: depth minus one, and whether it is signed
    if set(components) != {7}:
        return f"channels of {sorted({(each & 0x7F) + 1 for each in components})} bits, or signed ones"
    return "a palette" if b"pclr" in header else ""


def _find_codestream(file) -> tuple[bytes, int | None]:
    """Return the header box of a JPEG 2000 (empty if there is none), and the position of the codestream's SIZ."""
    header = b""
    if file.read(4) == CODESTREAM:
        return header, 4
    file.seek(0)
    while len(start := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", start)
        inside = length - 8
        if length == 1:
            inside = int.from_bytes(file.read(8)) - 16
        if kind == b"jp2c":
            return header, file.tell() if file.read(4) == CODESTREAM else None
        if inside < 0:
            break
        if kind == b"jp2h":
            header = file.read(inside)
        else:
            file.seek(inside, 1)
    return header, None


CHECKS = {
    "PNG": _png,
    "TIFF": _tiff,
    "JPEG2000": _jpeg2000,
    "PPM": _ppm,
    "JPEG": _always_8_bits,
    "MPO": _always_8_bits,  # a JPEG of several pictures
    "GIF": _always_8_bits,
    "BMP": _always_8_bits,
    "WEBP": _always_8_bits,
}  # keys are Pillow's names; other formats may hide their depth (AVIF, SGI) and are not read
