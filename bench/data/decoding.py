"""One picture: from what a file holds to pixels of one size, and what is done to it on the way. No files here."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageColor, ImageOps, UnidentifiedImageError

ORIENTATION = 0x0112  # of EXIF; 1 is upright
GREY, COLOUR = ("1", "L", "LA", "La"), ("RGB", "RGBA", "RGBa", "RGBX", "P", "PA")
LOW_BIT_KEYS = {"L;2": 85, "L;4": 17}  # Pillow scales such grey levels to 255, but not the one that is transparent
UPPER_BITS = "reduced to the upper eight bits"
LFS = b"version https://git-lfs"


@dataclass(frozen=True)
class Format:
    """What every picture is turned into.

    Attributes:
        size: side in pixels; None leaves pictures as they are: they must be squares of one size then.
        crop: `center` for the largest centred square, `none` for the whole picture, stretched; or a side in pixels of
            a centred square.
        channels: 1 for grey, 3 for RGB.
        background: the colour behind transparent pixels, by a name that Pillow knows.
    """

    size: int | None
    crop: str | int = "center"
    channels: int = 3
    background: str = "white"


class LeftOut(Exception):
    """Why a picture cannot be used, as a phrase that follows how many there are."""


class TooSmall(ValueError):
    """A picture has fewer pixels than are to be cut out of it."""


def decode(content: bytes | Image.Image, form: Format) -> tuple[np.ndarray, list[str]]:
    """A picture as uint8 [C, H, W], and what was done to it, each as a phrase that follows how many pictures.

    In this order: the first frame, turned as its EXIF says, the upper eight of 16 bits, drawn on the background, grey
    or RGB, cropped, resized bilinearly, antialiased.

    Raises:
        LeftOut: for a mode that has no right 8-bit levels.
        TooSmall: for a picture smaller than `form.crop`.
        Exception: whatever Pillow raises for what is no picture, or a damaged one.
    """
    notes: list[str | None] = []
    with Image.open(io.BytesIO(content)) if isinstance(content, bytes) else content as opened:
        raw, kind = _raw_mode(opened), opened.format
        image, note = _upright(opened)
        notes.append(note)
        image, note = _eight_bit(image, kind, raw)
        notes.append(note)
        for step in (_opaque, _with_channels):
            image, note = step(image, form)
            notes.append(note)
        if _has_more_frames(opened):  # seeks, so only when the pixels are copied
            notes.append("reduced to the first of several frames or pages")
    for step in (_cropped, _resized):
        image, note = step(image, form)
        notes.append(note)
    pixels = np.asarray(image).reshape(image.height, image.width, -1).transpose(2, 0, 1)
    return np.ascontiguousarray(pixels), [note for note in notes if note]


def decode_if_possible(content: bytes | Image.Image | LeftOut, form: Format) -> tuple[np.ndarray, list[str]] | LeftOut:
    """As `decode`, or why there are no pixels. Raises MemoryError and TooSmall alone."""
    if isinstance(content, LeftOut):
        return content
    try:
        _check_content(content)
        return decode(content, form)
    except (MemoryError, TooSmall):
        raise
    except LeftOut as reason:
        return reason
    except Image.DecompressionBombError:
        return LeftOut(f"of more than {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels, Pillow's limit")
    except UnidentifiedImageError:
        return LeftOut("of no known format")
    except Exception:  # there is no type that the plug-ins of Pillow could not raise
        return LeftOut("damaged")


def _check_content(content: bytes | Image.Image) -> None:
    if content == b"":
        raise LeftOut("empty or unreadable")
    if isinstance(content, bytes) and content.startswith(LFS):
        raise LeftOut("Git LFS pointers, not fetched")


def check_background(text: str) -> str:
    """The name of a colour. Raises ValueError for what is none, or is transparent itself."""
    if len(ImageColor.getrgb(text)) != 3:
        raise ValueError(text)
    return text


def _raw_mode(opened: Image.Image) -> str:
    """How the file keeps its pixels, in Pillow's words; "" for a picture that comes from no file."""
    tiles = getattr(opened, "tile", None)
    arguments = tiles[0][3] if tiles else ""
    return str(arguments if isinstance(arguments, str) or not arguments else arguments[0])


def _has_more_frames(opened: Image.Image) -> bool:
    try:
        return bool(getattr(opened, "is_animated", False))
    except Exception:  # of a file that is cut short behind its first frame
        return True


def _upright(opened: Image.Image) -> tuple[Image.Image, str | None]:
    """A copy that is turned and mirrored as EXIF or XMP says."""
    turned = opened.getexif().get(ORIENTATION, 1) in range(2, 9)
    return ImageOps.exif_transpose(opened), "turned as EXIF says" if turned else None


def _eight_bit(image: Image.Image, kind: str | None, raw: str) -> tuple[Image.Image, str | None]:
    """The upper eight bits of more, which Pillow's `convert` would clip at 255; other pictures as they are.

    `raw` describes how the file keeps its pixels, as Pillow does. Raises LeftOut for 32-bit levels, whole or not:
    nothing says where white is.
    """
    key = image.info.get("transparency")
    # Pillow 10 opens 16-bit PNGs as 32-bit whole numbers, every version PGMs; it stretches the latter to 65,535.
    if image.mode.startswith("I;16") or (image.mode == "I" and kind in ("PNG", "PPM")):
        levels = np.asarray(image)
        image = Image.fromarray((levels >> (4 if ";12" in raw else 8)).astype(np.uint8))
        if key is not None:
            image.putalpha(Image.fromarray(np.where(levels == key, 0, 255).astype(np.uint8)))
        return image, UPPER_BITS
    if image.mode in ("I", "F"):
        raise LeftOut(f"with grey levels of no known range (mode {image.mode})")
    deep = ";16" in raw
    if deep and isinstance(key, tuple):
        image.info["transparency"] = tuple(level >> 8 for level in key)
    if isinstance(key, int):
        image.info["transparency"] = key * LOW_BIT_KEYS.get(raw, 1)
    return image, UPPER_BITS if deep else None


def _opaque(image: Image.Image, form: Format) -> tuple[Image.Image, str | None]:
    """The picture before the background, where some of it is transparent."""
    if not image.has_transparency_data:
        return image, None
    layer = image.convert("RGBA")
    least, most = layer.getchannel("A").getextrema()
    if least == 255:
        return image, None
    ground = Image.new("RGBA", layer.size, form.background)
    ground.alpha_composite(layer)
    wholly = " (wholly transparent)" if most == 0 else " where transparent"
    return ground.convert("L" if image.mode in GREY else "RGB"), f"drawn on {form.background}{wholly}"


def _with_channels(image: Image.Image, form: Format) -> tuple[Image.Image, str | None]:
    """Grey or RGB."""
    converted = image.convert("RGB" if form.channels == 3 else "L")
    if image.mode == "1":
        return converted, "made of one bit"
    if image.mode in GREY:
        return converted, "made RGB from grey" if form.channels == 3 else None
    if image.mode not in COLOUR:
        return converted, f"converted from {image.mode}{' without its colour profile' if image.mode == 'CMYK' else ''}"
    if form.channels == 1:
        return converted, "made grey from colours"
    profile = image.info.get("icc_profile") or b"sRGB"
    return converted, None if b"sRGB" in profile.replace(b"\0", b"") else "with a colour profile that is not applied"


def _cropped(image: Image.Image, form: Format) -> tuple[Image.Image, str | None]:
    if form.crop == "none":
        return image, None
    side = min(image.size) if form.crop == "center" else int(form.crop)
    if image.size == (side, side):
        return image, None
    if side > min(image.size):
        raise TooSmall(
            f"has {image.width}×{image.height} pixels, too few for crop={side}: give a smaller crop, or crop=center"
        )
    left, top = (image.width - side) // 2, (image.height - side) // 2
    what = "a square" if form.crop == "center" else f"{side} pixels"
    return image.crop((left, top, left + side, top + side)), f"cropped to {what}"


def _resized(image: Image.Image, form: Format) -> tuple[Image.Image, str | None]:
    size = form.size
    if size is None or image.size == (size, size):
        return image, None
    how = "enlarged" if image.width < size else "made smaller"
    if image.width != image.height:
        how = "stretched"
    return image.resize((size, size), Image.Resampling.BILINEAR), f"{how} to {size} pixels"
