"""What an image file means: its depth by its own header, its orientation, transparency, pages; and what has colour."""

import re
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import learnability
from learnability.datasets.formats.files import has_colour, read_image
from tests.drawn_files import png, png_chunk, tiff

SHAPE = (6, 10)


def noise(channels=3, dtype="uint8", seed=0):
    shape = SHAPE if channels == 1 else (*SHAPE, channels)
    return np.random.default_rng(seed).integers(0, 256, shape).astype(dtype)


def deep(channels, levels=4096):
    """16-bit values of which 12 bits are used, v * 16."""
    shape = SHAPE if channels == 1 else (*SHAPE, channels)
    return (np.random.default_rng(1).integers(0, levels, shape) * 16).astype(np.uint16)


def saved(path, content):
    path.write_bytes(content)
    return path


def jpeg2000(path, channels, depth, signed=False):
    """A real file of 8 bits whose header then says another depth of its channels."""
    Image.fromarray(noise(channels)).save(path)
    content = bytearray(path.read_bytes())
    first = content.index(b"\xff\x4f\xff\x51") + 42  # marker SIZ: a byte of each channel, every third
    for channel in range(channels):
        content[first + 3 * channel] = depth - 1 + 128 * signed
    return bytes(content)


def netpbm(kind, highest, pixels):
    height, width = pixels.shape[:2]
    return f"{kind}\n# 8 bits\n{width} {height}\n{highest}\n".encode() + pixels.astype(">u2").tobytes()


DEEP = {
    "grey.png": png(deep(1), 0),
    "grey_alpha.png": png(deep(2), 4),
    "rgb.png": png(deep(3), 2),
    "rgba.png": png(deep(4), 6),
    "rgb_transparent.png": png(deep(3), 2, before=png_chunk(b"tRNS", bytes(6))),
    "grey.tif": tiff(deep(1), 1),
    "grey_white_is_zero.tif": tiff(deep(1), 0),
    "rgb.tif": tiff(deep(3), 2),
    "rgba.tif": tiff(deep(4), 2, extra=(2,)),
    "cmyk.tif": tiff(deep(4), 5),
    "float.tif": tiff(deep(1).astype(np.float32) / 65535, 1),
    "float_rgb.tif": tiff(deep(3).astype(np.float32) / 65535, 2),
    "signed.tif": tiff(noise(1, "int8"), 1),
    "signed_16.tif": tiff(noise(1, "int16"), 1),
    "int_32.tif": tiff(noise(1, "int32"), 1),
    "grey.pgm": netpbm("P5", 65535, deep(1)),
    "rgb.ppm": netpbm("P6", 65535, deep(3)),
    "rgb_12.ppm": netpbm("P6", 4095, deep(3) // 16),
    "rgb_text.ppm": b"P3 2 1 1000  1 2 3 4 5 1000\n",
    "float.pfm": b"Pf\n1 1\n-1.0\n\0\0\0\0",
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", DEEP)
def test_what_a_file_has_more_than_eight_bits_of_is_refused(tmp_path, name, channels):
    """It is refused even if Pillow hands out 8 bits, which would be only the highest 8 bits of v * 16."""
    path = saved(tmp_path / name, DEEP[name])
    with pytest.raises(OSError, match=rf"{re.escape(name)}: .*expected 8 bits a channel"):
        read_image(path, channels)


@pytest.mark.parametrize("suffix", ["jp2", "j2k"])
@pytest.mark.parametrize(("channels", "depth", "signed"), [(1, 16, False), (3, 16, False), (3, 12, False),
                                                           (4, 9, False), (3, 4, False), (3, 8, True)])  # fmt: skip
def test_a_jpeg_2000_of_another_depth_is_refused(tmp_path, suffix, channels, depth, signed):
    path = tmp_path / f"image.{suffix}"
    path.write_bytes(jpeg2000(path, channels, depth, signed))
    with pytest.raises(OSError, match=rf"channels of \[{depth}\] bits, or signed ones; expected 8 bits"):
        read_image(path, 3)


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.jp2", "a.j2k", "a.ppm", "a.webp"])
@pytest.mark.parametrize("channels", [1, 3])
def test_eight_bits_come_out_as_they_are(tmp_path, name, channels):
    pixels = noise(channels)
    Image.fromarray(pixels).save(tmp_path / name, **({"lossless": True} if name.endswith("webp") else {}))
    assert np.array_equal(read_image(tmp_path / name, channels), pixels.reshape(*SHAPE, channels))
    assert has_colour(tmp_path / name) == (channels == 3)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (tiff(noise(1), 0), 255 - noise(1)),  # white is zero
        (tiff(noise(1), 3, tags=[(320, [257 * (255 - i) for i in range(256)] * 3)]), 255 - noise(1)),
        (png(np.packbits(noise(1) % 2, axis=1)[:, :1], 0, depth=1), (noise(1) % 2 * 255)[:, :8]),
        (png(np.full(SHAPE, 0x3C, np.uint8), 0, depth=4), np.tile([51, 204], (6, 10))),
        (png(np.full(SHAPE, 0b00011011, np.uint8), 0, depth=2), np.tile([0, 85, 170, 255], (6, 10))),
        (b"P5 10 6 15\n" + (noise(1) // 16).tobytes(), noise(1) // 16 * 17),
        (b"P4 8 6\n" + bytes([0b10100000] * 6), np.tile([0, 255, 0, 255, 255, 255, 255, 255], (6, 1))),
    ],
    ids=["white_is_zero", "palette", "1_bit", "4_bits", "2_bits", "netpbm_15", "bitmap"],
)
def test_fewer_levels_and_turned_scales_come_out_right(tmp_path, content, expected):
    path = saved(tmp_path / "image", content)
    assert np.array_equal(read_image(path, 1)[..., 0], expected)
    assert not has_colour(path)


def test_a_palette_of_colours_gives_its_colours(tmp_path):
    pixels = np.array([[[200, 10, 0], [0, 90, 30]]], np.uint8)
    for name in ("a.png", "a.gif", "a.bmp", "a.tif"):
        Image.fromarray(pixels).quantize(2).save(tmp_path / name)
        assert np.array_equal(read_image(tmp_path / name, 3), pixels)
        assert has_colour(tmp_path / name)


def test_cmyk_becomes_rgb(tmp_path):
    ink = np.array([[[255, 0, 0, 0], [0, 255, 0, 51], [0, 0, 0, 255]]], np.uint8)
    path = saved(tmp_path / "a.tif", tiff(ink, 5))
    assert read_image(path, 3).tolist() == [[[0, 255, 255], [204, 0, 204], [0, 0, 0]]]


@pytest.mark.parametrize("channels", [1, 3])
def test_lab_becomes_rgb_or_grey(tmp_path, channels):
    lab = np.array([[[0, 0, 0], [255, 0, 0], [138, 81, 70]]], np.uint8)  # a and b are signed; of sRGB's red, at D50
    path = saved(tmp_path / "a.tif", tiff(lab, 8))
    (black, white, red) = read_image(path, channels)[0].astype(int)
    assert has_colour(path)
    assert black.max() <= 1
    assert white.min() >= 254
    expected = Image.new("RGB", (1, 1), (255, 0, 0)).convert("RGB" if channels == 3 else "L").getpixel((0, 0))
    assert np.abs(red - expected).max() <= 5  # a step of a or b is up to three levels


def test_a_directory_that_is_damaged_makes_an_image_a_bad_one(tmp_path):
    """The first directory of a TIFF is sound; it names another behind it, which holds nothing."""
    content = tiff(noise(), 2)
    path = saved(tmp_path / "a.tif", content[:-4] + struct.pack("<I", len(content)) + bytes(6))
    with pytest.raises(OSError, match=r"a\.tif: broken \(Missing dimensions\)"):
        read_image(path, 3)


@pytest.mark.parametrize("last", [b"!", b","])
def test_a_gif_that_announces_a_block_and_ends_is_a_bad_one(tmp_path, last):
    path = tmp_path / "a.gif"
    Image.fromarray(noise(1)).save(path)
    saved(path, path.read_bytes()[:-1] + last)
    with pytest.raises(OSError, match=r"a\.gif: broken \("):
        read_image(path, 3)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (tiff(noise(4), 2, extra=(0,)), "more channels than colours"),
        (tiff(noise(4), 2), "more channels than colours"),
        (tiff(noise(2), 1, extra=(0,)), "more channels than colours"),
        (tiff(noise(1), 3, tags=[(320, [255 - i for i in range(256)] * 3)]), "palette of 8-bit values"),
        (png(np.full(SHAPE, 0x3C, np.uint8), 0, png_chunk(b"tRNS", b"\0\3"), depth=4), "4 bits with a transparent one"),
    ],
)
def test_what_would_come_out_wrong_or_without_a_channel_is_refused(tmp_path, content, expected):
    with pytest.raises(OSError, match=expected):
        read_image(saved(tmp_path / "image", content), 3)


@pytest.mark.parametrize("suffix", ["tga", "sgi", "avif", "ico", "pcx"])
def test_other_formats_are_not_guessed_at(tmp_path, suffix):
    """An SGI or AVIF file may have more than 8 bits, and Pillow does not say so."""
    Image.fromarray(noise()).save(tmp_path / f"a.{suffix}")
    with pytest.raises(OSError, match=r"broken, or not a supported kind; expected 8 bits a channel in PNG, TIFF"):
        read_image(tmp_path / f"a.{suffix}", 3)


def turned(pixels, orientation):
    """What EXIF says: where the first row and the first column of the stored pixels belong."""
    return {
        1: pixels,
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: pixels.swapaxes(0, 1),
        6: np.rot90(pixels, -1),
        7: pixels[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(pixels),
    }[orientation]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_format_is_turned_as_its_orientation_says(tmp_path, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    pixels = noise()
    image = Image.fromarray(pixels)
    image.save(tmp_path / "a.png", exif=exif)
    image.save(tmp_path / "a.webp", exif=exif, lossless=True)
    image.save(tmp_path / "a.tif", exif=exif)
    image.save(tmp_path / "packed.tif", exif=exif, compression="tiff_lzw")
    image.save(tmp_path / "a.jpg", exif=exif)
    saved(tmp_path / "plain.tif", tiff(pixels, 2, tags=[(274, [orientation])]))
    saved(tmp_path / "late.png", png(pixels, 2, after=png_chunk(b"eXIf", exif.tobytes()[6:])))
    with Image.open(tmp_path / "a.jpg") as lossy:
        stored = np.asarray(lossy)
    for path in sorted(tmp_path.iterdir()):
        expected = turned(stored if path.suffix == ".jpg" else pixels, orientation)
        assert np.array_equal(read_image(path, 3), expected), path.name
        assert read_image(path, 1).shape == (*expected.shape[:2], 1)


def test_an_orientation_in_xmp_counts_too(tmp_path):
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    Image.fromarray(noise()).save(tmp_path / "a.webp", xmp=xmp, lossless=True)
    assert np.array_equal(read_image(tmp_path / "a.webp", 3), turned(noise(), 6))


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_an_unreadable_exif_is_not_taken_for_a_missing_one(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(noise()).save(path, exif=b"Exif\0\0rubbish!")
    with pytest.raises(OSError, match=r"its EXIF cannot be read .*the orientation is not known"):
        read_image(path, 3)


def transparent_files(folder):
    """The same picture: 200 half transparent, 200 wholly, 200 not at all; the hidden values lie on black."""
    grey = np.array([[[200, 128], [200, 0], [200, 255]]], np.uint8)
    colour = grey[..., [0, 0, 0, 1]]
    saved(folder / "la.png", png(grey, 4))
    saved(folder / "rgba.png", png(colour, 6))
    saved(folder / "rgba.tif", tiff(colour, 2, extra=(2,)))
    saved(folder / "la.tif", tiff(grey, 1, extra=(2,)))
    saved(folder / "premultiplied.tif", tiff(np.array([[[100, 128], [0, 0], [200, 255]]], np.uint8), 1, extra=(1,)))
    Image.fromarray(colour).save(folder / "rgba.webp", lossless=True, exact=True)
    indices = Image.fromarray(np.arange(3, dtype=np.uint8)[None], "P")
    indices.putpalette([200] * 9)
    indices.save(folder / "palette.png", transparency=bytes([128, 0, 255]))


@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_transparent_lies_on_black(tmp_path, channels):
    transparent_files(tmp_path)
    for path in sorted(tmp_path.iterdir()):
        assert read_image(path, channels).tolist() == [[[100] * channels, [0] * channels, [200] * channels]], path.name
        assert not has_colour(path)


def test_one_transparent_colour_is_black(tmp_path):
    saved(
        tmp_path / "rgb.png",
        png(np.full((1, 1, 3), 200, np.uint8), 2, png_chunk(b"tRNS", struct.pack(">3H", *[200] * 3))),
    )
    saved(tmp_path / "grey.png", png(np.full((1, 1), 200, np.uint8), 0, png_chunk(b"tRNS", struct.pack(">H", 200))))
    Image.new("P", (1, 1), 0).save(tmp_path / "p.gif", transparency=0)
    for path in tmp_path.iterdir():
        assert not read_image(path, 3).any(), path.name


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif", "mpo"])
def test_several_pages_or_frames_are_refused(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(noise()).save(path, save_all=True, append_images=[Image.fromarray(noise(seed=1))])
    with pytest.raises(OSError, match=r"2 pages or frames; expected one image per file"):
        read_image(path, 3)


@pytest.mark.parametrize("content", [
    b"P6 2 1 255\n" + bytes([80] * 6), b"P5 # one\n2 1\n255\n" + bytes([80] * 2), b"P4 9 1\n" + bytes([80] * 2),
])  # fmt: skip
def test_a_second_picture_behind_the_first_is_refused(tmp_path, content):
    assert read_image(saved(tmp_path / "one.ppm", content), 3).shape[0] == 1  # 80 is the letter P
    assert read_image(saved(tmp_path / "one.ppm", content + b"\n"), 3).shape[0] == 1
    with pytest.raises(OSError, match="several images, one behind the other"):
        read_image(saved(tmp_path / "two.ppm", content + content), 3)


def test_colour_is_told_by_the_pixels_and_not_by_the_mode(tmp_path):
    grey = np.repeat(noise(1)[..., None], 3, axis=2)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    assert not has_colour(tmp_path / "grey.png")
    grey[3, 7, 2] ^= 1  # one pixel between those that are checked first
    Image.fromarray(grey).save(tmp_path / "one.png")
    assert has_colour(tmp_path / "one.png")


def test_image_files_are_opened_in_one_place():
    """So every format has its depth and orientation checked, and so have the images of `learnability score`."""
    package = Path(learnability.__file__).parent
    opened = [path.name for path in package.rglob("*.py") if re.search(r"\bImage\.open\b|\bimread\b", path.read_text())]
    assert opened == ["files.py"]
