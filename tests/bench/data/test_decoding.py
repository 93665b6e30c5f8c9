"""One picture: crop and size, grey and RGB, depth, transparency, rotation; and what is said of each."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lipbench.bench.data.decoding import Format, LeftOut, decode_if_possible
from lipbench.bench.data.decoding import decode as decode_with_notes


def png(pixels: Any, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.asarray(pixels, dtype=np.uint8)).save(stream, kind)
    return stream.getvalue()


def noise(seed: int, height: int = 6, width: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def decode(content: bytes, form: Format) -> np.ndarray:
    return decode_with_notes(content, form)[0]


def test_decode_center_takes_the_largest_centred_square() -> None:
    picture = noise(3, 4, 10)
    assert np.array_equal(decode(png(picture), Format(None)).transpose(1, 2, 0), picture[:, 3:7])
    assert np.array_equal(decode(png(picture.transpose(1, 0, 2)), Format(None)), picture[:, 3:7].transpose(2, 1, 0))


def test_decode_with_a_crop_in_pixels_takes_that_square() -> None:
    picture = noise(3, 8, 10)
    assert np.array_equal(decode(png(picture), Format(None, crop=4)).transpose(1, 2, 0), picture[2:6, 3:7])


def test_decode_without_a_crop_stretches_the_whole_picture() -> None:
    left = np.zeros((4, 8, 3), dtype=np.uint8)
    left[:, :4] = 200
    row = decode(png(left), Format(4, crop="none"))[0, 0].tolist()
    assert (row[0], row[-1]) == (200, 0)
    assert decode(png(left), Format(4))[0, 0].tolist() == [200, 200, 0, 0]


def test_decode_halving_averages_rather_than_drops_pixels() -> None:
    board = np.indices((8, 8)).sum(axis=0) % 2 * 255
    small = decode(png(np.repeat(board[..., None], 3, axis=2)), Format(4))
    assert abs(small[:, 1:-1, 1:-1].astype(int) - 127).max() <= 2


@pytest.mark.parametrize(("channels", "expected"), [(1, [[76]]), (3, [[255], [0], [0]])])
def test_decode_makes_grey_or_rgb(channels: int, expected: list[list[int]]) -> None:
    red = np.zeros((2, 2, 3), dtype=np.uint8)
    red[..., 0] = 255
    assert decode(png(red), Format(None, channels=channels))[:, 0, :1].tolist() == expected
    grey = decode(png(np.full((2, 2), 7)), Format(None, channels=channels))
    assert grey.shape == (channels, 2, 2) and (grey == 7).all()


RAMP = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1040  # 0 … 65,520: all that 16 bits can say


def saved(pixels: np.ndarray, kind: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "content",
    [saved(RAMP, "PNG"), saved(RAMP, "TIFF"), b"P5 8 8 65535\n" + RAMP.astype(">u2").tobytes()],
    ids=["png", "tiff", "pgm"],
)
def test_decode_of_16_bits_keeps_the_upper_eight(content: bytes, channels: int) -> None:
    found = decode(content, Format(None, channels=channels))
    assert all(np.array_equal(channel, RAMP >> 8) for channel in found)


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_decode_refuses_levels_of_no_known_range(kind: type) -> None:
    with pytest.raises(LeftOut, match="no known range"):
        decode(saved((RAMP / 65535).astype(kind), "TIFF"), Format(None))


def test_decode_turns_a_picture_as_its_exif_says() -> None:
    stream = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    picture = Image.fromarray(np.repeat(np.arange(64, dtype=np.uint8).reshape(8, 8, 1) * 4, 3, axis=2))
    picture.save(stream, "PNG", exif=exif)
    assert np.array_equal(decode(stream.getvalue(), Format(None))[0], np.rot90(np.asarray(picture)[..., 0], -1))


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


ANY = Format(None)
RED, HIDDEN = (200, 10, 30), (255, 0, 255)


def disc() -> Image.Image:
    """A red square, 4 pixels of 8, before a colour that is wholly transparent."""
    picture = Image.new("RGBA", (8, 8), (*HIDDEN, 0))
    picture.paste((*RED, 255), (2, 2, 6, 6))
    return picture


def disc_in_a_palette() -> Image.Image:
    picture = Image.new("P", (8, 8), 0)
    picture.putpalette([*HIDDEN, *RED])
    picture.paste(1, (2, 2, 6, 6))
    return picture


@pytest.mark.parametrize(
    "content",
    [
        encoded(disc()),
        encoded(disc(), "TIFF"),
        encoded(disc(), "WEBP", lossless=True, exact=True),
        encoded(disc_in_a_palette(), transparency=0),
        encoded(disc_in_a_palette(), transparency=bytes([0, 255])),
        encoded(disc_in_a_palette(), "GIF", transparency=0),
        encoded(disc_in_a_palette().convert("RGB"), transparency=HIDDEN),
    ],
    ids=["rgba", "tiff", "webp", "palette", "palette-alpha", "gif", "rgb-key"],
)
@pytest.mark.parametrize(("background", "level"), [("white", (255, 255, 255)), ("black", (0, 0, 0))])
def test_decode_draws_what_is_transparent_on_the_background(
    content: bytes, background: str, level: tuple[int, ...]
) -> None:
    pixels, notes = decode_with_notes(content, Format(None, background=background))
    assert tuple(pixels[:, 0, 0]) == level
    assert tuple(pixels[:, 3, 3]) == RED
    assert notes == [f"drawn on {background} where transparent"]


def test_decode_mixes_half_transparent_pixels_with_the_background() -> None:
    half = Image.new("RGBA", (2, 2), (0, 100, 200, 51))  # a fifth
    assert decode(encoded(half), Format(None))[:, 0, 0].tolist() == [204, 224, 244]
    grey = Image.new("LA", (2, 2), (100, 51))
    assert decode(encoded(grey), Format(None, channels=1))[:, 0, 0].tolist() == [224]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_decode_of_a_picture_with_alpha_that_is_opaque_changes_nothing(mode: str) -> None:
    picture = Image.fromarray(noise(4)).convert("L" if mode == "LA" else "RGB")
    with_alpha = picture.quantize(8).convert("RGBA") if mode == "PA" else picture.convert(mode)
    expected = np.asarray(with_alpha.convert("RGB")).transpose(2, 0, 1)
    pixels, notes = decode_with_notes(encoded(with_alpha, "TIFF"), Format(None))
    assert np.array_equal(pixels, expected)
    assert not any("transparent" in note for note in notes)


def png_of_grey(bits: int, row: bytes, width: int, key: int) -> bytes:
    """A PNG of one row of grey levels, of which `key` is transparent."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    parts = [
        chunk(b"IHDR", struct.pack(">IIBBBBB", width, 1, bits, 0, 0, 0, 0)),
        chunk(b"tRNS", struct.pack(">H", key)),
        chunk(b"IDAT", zlib.compress(b"\0" + row)),
        chunk(b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(
    ("bits", "row", "key", "levels"),
    [
        (1, bytes([0b10000000]), 0, [255, 255]),
        (2, bytes([0b01100000]), 1, [255, 170]),
        (4, bytes([0x3F]), 3, [255, 255]),
        (8, bytes([3, 9]), 3, [255, 9]),
        (16, bytes([3, 1, 9, 0]), 0x0301, [255, 9]),
        (16, bytes([3, 1, 3, 0]), 0x0301, [255, 3]),
    ],
)
def test_decode_of_a_grey_level_that_is_transparent_at_any_depth(
    bits: int, row: bytes, key: int, levels: list[int]
) -> None:
    pixels = decode(png_of_grey(bits, row, 2, key), Format(None, crop="none", channels=1))
    assert pixels[0, 0].tolist() == levels


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP", "PNG"])
def test_decode_takes_the_first_of_several_frames_and_says_so(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue", "lime")]
    options = {"lossless": True} if kind == "WEBP" else {}
    pixels, notes = decode_with_notes(encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options), ANY)
    assert pixels[:, 0, 0].tolist() == [255, 0, 0]
    assert notes == ["reduced to the first of several frames or pages"]
    assert decode_with_notes(encoded(frames[0], kind, **options), ANY)[1] == []


def test_decode_reads_the_first_frame_of_a_gif_that_is_cut_in_the_second() -> None:
    frames = [Image.fromarray(noise(seed, 16, 16)) for seed in range(2)]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    pixels = decode(content[: len(content) * 6 // 10], ANY)
    assert np.array_equal(pixels, decode(content, ANY))


@pytest.mark.parametrize(
    ("content", "colour", "note"),
    [
        (encoded(Image.new("CMYK", (4, 4), (0, 255, 255, 0)), "TIFF"), [255, 0, 0], "converted from CMYK"),
        (encoded(Image.new("CMYK", (4, 4), (0, 255, 255, 0)), "JPEG", quality=100), [255, 0, 0], "converted from CMYK"),
        (encoded(Image.new("1", (4, 4), 1)), [255, 255, 255], "made of one bit"),
        (encoded(Image.new("1", (4, 4), 1), "TIFF"), [255, 255, 255], "made of one bit"),
        (encoded(Image.new("L", (4, 4), 9)), [9, 9, 9], "made RGB from grey"),
        (encoded(Image.new("I;16", (4, 4), 0x0900)), [9, 9, 9], "reduced to the upper eight bits"),
        (encoded(Image.new("RGB", (4, 4), RED), icc_profile=b"Adobe RGB"), list(RED), "with a colour profile"),
    ],
    ids=["cmyk", "cmyk-jpeg", "one-bit", "one-bit-tiff", "grey", "16-bit", "profile"],
)
def test_decode_says_what_it_converted(content: bytes, colour: list[int], note: str) -> None:
    pixels, notes = decode_with_notes(content, ANY)
    assert np.abs(pixels[:, 0, 0].astype(int) - colour).max() <= 1
    assert any(told.startswith(note) for told in notes)


def test_decode_says_that_it_turned_cropped_and_stretched() -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    wide = encoded(Image.fromarray(noise(1, 8, 12)), exif=exif)
    assert decode_with_notes(wide, Format(8))[1] == ["turned as EXIF says", "cropped to a square"]
    assert decode_with_notes(wide, Format(8, "none"))[1] == ["turned as EXIF says", "stretched to 8 pixels"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b"plain text", "of no known format"),
        (encoded(Image.fromarray(noise(1, 40, 40)))[:200], "damaged"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS pointers"),
        (encoded(Image.new("F", (4, 4)), "TIFF"), "no known range"),
    ],
)
def test_decode_if_possible_says_why_there_are_no_pixels(content: bytes, why: str) -> None:
    reason = decode_if_possible(content, ANY)
    assert isinstance(reason, LeftOut) and why in str(reason)
