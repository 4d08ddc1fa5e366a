"""Images that somebody drew or scanned, made like those a network was trained on."""

import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from scipy import ndimage

from sidebyside.data.preprocessing import idx
from sidebyside.errors import UserError

_MOST_BYTES = 64 * 2**20
_MOST_PIXELS = 40_000_000
_ENOUGH_PIXELS = 4_000_000  # of a larger picture, the mean of neighbours is looked at
_IDX_IMAGES = bytes([0, 0, 8, 3])

_LIGHT = 127  # a border lighter than this is paper, of 255
_FAINTEST = 40  # of 255: less contrast than this is an empty image
_INK = 0.4  # of the darkest ink counts as ink
_SPECK = 0.05  # of the largest mark is dirt
_MOST_MARKS = 3  # a digit in more pieces is none
_WHOLE = 0.6  # of the height of all marks makes one a character of its own
_BOX = 20 / 28  # of the image is the digit (LeCun et al. 1998, section III.A)
_THINNEST = 1.5  # pixels of a stroke after scaling
_STROKE = 2.2  # pixels of a stroke that was too thin


@dataclass(frozen=True)
class InputImage:
    """An image to predict.

    Attributes
    ----------
    name : str
        Where it comes from.
    pixels : ndarray of float32, shape (height, width, channels)
        From 0 to 1; of marks on dark from 0, paper, to 1, ink.
    changes : list of str
        What was done to it.
    """

    name: str
    pixels: NDArray[np.float32]
    changes: list[str]


def read_images(path: Path, shape: tuple[int, int, int], marks: bool = True) -> list[InputImage]:
    """Return the images of a PNG, JPEG or IDX file as images of ``shape``.

    For networks that know light ``marks`` on dark, a picture of that size is taken as it is, dark
    on light inverted. In any other the digit is found, scaled and centred by its centre of mass, as
    the images of MNIST were made (LeCun et al. 1998, "Gradient-based learning applied to document
    recognition", section III.A). For others, and in colour, the whole picture is scaled.

    Parameters
    ----------
    path : pathlib.Path
    shape : tuple of int
        (height, width, channels), of one or three channels.
    marks : bool
        See `are_marks`.

    Raises
    ------
    UserError
        If it isn't such a file, or shows nothing, or more than one digit where it has to show one.
    """
    height, width, channels = shape
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UserError(f"{path} is larger than {_MOST_BYTES >> 20} MiB: give a smaller image.")
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror}.") from None
    if channels > 1:
        return [_scaled(str(path), _picture(path), (height, width))]
    if content.startswith(_IDX_IMAGES):
        images = idx.parse(content, str(path), dimensions=3)
        if len(images) * math.prod(shape) > _MOST_BYTES:  # smaller images, which would be scaled up
            raise UserError(f"{path} holds {len(images)} images: give it in pieces.")
        named = [(f"{path}[{number}]", image) for number, image in enumerate(images)]
    else:
        named = [(str(path), np.asarray(_picture(path).convert("L")))]
    if marks:
        return [_as_digit(name, image, (height, width)) for name, image in named]
    return [_scaled(name, Image.fromarray(image), (height, width)) for name, image in named]


def are_marks(pixels: NDArray[np.uint8]) -> bool:
    """Whether images, shape (N, height, width), are of light marks on dark, as MNIST's are."""
    edges = [pixels[:, 0], pixels[:, -1], pixels[:, :, 0], pixels[:, :, -1]]
    return bool(np.median(np.concatenate(edges, axis=1)) <= _LIGHT)


def _picture(path: Path) -> Image.Image:
    """Return a picture in colour, what is transparent as white."""
    try:
        with Image.open(path, formats=["PNG", "JPEG"]) as opened:
            if opened.width * opened.height > _MOST_PIXELS:
                raise Image.DecompressionBombError
            upright = _of_eight_bits(ImageOps.exif_transpose(opened)).convert("RGBA")
        shrink = math.ceil(math.sqrt(upright.width * upright.height / _ENOUGH_PIXELS))
        if shrink > 1:
            upright = upright.reduce(shrink)
    except Image.DecompressionBombError:
        raise UserError(
            f"{path} has more than {_MOST_PIXELS // 1_000_000} million pixels: give a smaller one."
        ) from None
    except Exception as error:  # whatever a damaged file makes Pillow raise
        raise UserError(
            f"{path} is no PNG, JPEG or IDX image that can be read ({type(error).__name__}): "
            "give another picture."
        ) from None
    paper = Image.new("RGBA", upright.size, "white")
    return Image.alpha_composite(paper, upright).convert("RGB")


def _of_eight_bits(picture: Image.Image) -> Image.Image:
    """Return a picture whose numbers Pillow won't cut at 255, as it does of 16 bits."""
    if not picture.mode.startswith("I"):
        return picture
    return Image.fromarray((np.asarray(picture) // 257).astype(np.uint8))


def _scaled(name: str, picture: Image.Image, shape: tuple[int, int]) -> InputImage:
    height, width = shape
    changes = []
    if picture.size != (width, height):
        changes.append(f"{picture.width} x {picture.height} pixels scaled to {width} x {height}")
        picture = picture.resize((width, height), Image.Resampling.BOX)
    pixels = np.atleast_3d(np.asarray(picture, np.float32) / np.float32(255))
    return InputImage(name, pixels, changes)


def _as_digit(name: str, grey: NDArray[np.uint8], shape: tuple[int, int]) -> InputImage:
    changes: list[str] = []
    if min(grey.shape) < 5:
        raise UserError(f"{name} is {grey.shape[1]} x {grey.shape[0]} pixels: too few for a digit.")
    if np.median(_border(grey)) > _LIGHT:
        grey = 255 - grey
        changes.append("inverted, as it was dark on light")
    paper = np.float32(np.median(_border(grey)))
    ink: NDArray[np.float32] = np.clip(grey.astype(np.float32) - paper, 0, None)
    if ink.max() < _FAINTEST:
        raise UserError(f"{name} shows nothing: it is empty or its contrast is too low.")
    if grey.shape == shape:
        return InputImage(name, (grey[..., None] / np.float32(255)).astype(np.float32), changes)
    ink = _one_digit(name, ink / ink.max(), changes)
    height, width = ink.shape
    scale = min(_BOX * shape[0] / height, _BOX * shape[1] / width)
    changes.append(f"digit of {width} x {height} pixels scaled by {scale:.2g} and centred")
    ink = _thick_enough(ink, scale, changes)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    method = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    small = np.clip(np.asarray(Image.fromarray(ink).resize(size, method)), 0, 1)
    return InputImage(name, _centred(small / small.max(), shape)[..., None], changes)


def _border(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])


def _one_digit(name: str, ink: NDArray[np.float32], changes: list[str]) -> NDArray[np.float32]:
    """Return the part of an image that holds its digit."""
    marks, count = ndimage.label(ink > _INK, structure=np.ones((3, 3)))
    areas = ndimage.sum_labels(np.ones_like(marks), marks, np.arange(1, count + 1))
    kept = 1 + np.flatnonzero(areas >= _SPECK * areas.max())
    if len(kept) > _MOST_MARKS:
        raise UserError(
            f"{name} shows {len(kept)} separate marks, so it isn't one digit: cut out one."
        )
    boxes = [box for at, box in enumerate(ndimage.find_objects(marks), 1) if at in kept]
    top, bottom = min(box[0].start for box in boxes), max(box[0].stop for box in boxes)
    left, right = min(box[1].start for box in boxes), max(box[1].stop for box in boxes)
    tall = [b[1] for b in boxes if b[0].stop - b[0].start >= _WHOLE * (bottom - top)]
    beside = sorted((columns.start, columns.stop) for columns in tall)
    if any(right < left for (_, right), (left, _) in pairwise(beside)):
        raise UserError(f"{name} shows {len(beside)} characters side by side: cut out one digit.")
    if len(kept) < count:
        changes.append(f"{count - len(kept)} specks left out")
        ink = np.where(np.isin(marks, [0, *kept]), ink, 0)
    return ink[top:bottom, left:right]


def _thick_enough(
    ink: NDArray[np.float32], scale: float, changes: list[str]
) -> NDArray[np.float32]:
    """Return the digit with strokes that don't fade away when it is scaled."""
    inside = np.pad(ink > _INK, 1)
    stroke = 2 * ndimage.distance_transform_edt(inside).max()
    if stroke * scale >= _THINNEST:
        return ink
    changes.append("strokes thickened")
    more = max(1, round((_STROKE / scale - stroke) / 2))
    disc = np.hypot(*np.ogrid[-more : more + 1, -more : more + 1]) <= more
    thick: NDArray[np.float32] = ndimage.grey_dilation(np.pad(ink, more), footprint=disc)
    return thick


def _centred(small: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return an image of ``shape`` with the centre of mass of ``small`` at its centre."""
    image = np.zeros(shape, np.float32)
    corner = []
    for length, size, mass in zip(shape, small.shape, ndimage.center_of_mass(small), strict=True):
        corner.append(int(np.clip(round(length / 2 - 0.5 - mass), 0, length - size)))
    top, left = corner
    image[top : top + small.shape[0], left : left + small.shape[1]] = small
    return image
