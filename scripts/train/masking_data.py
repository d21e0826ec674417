"""Mask rows as a model of masks takes them: small pictures, the words of instructions, targets."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from core.build import Place, read_rows, shards
from core.cli import command
from core.colors import COLORS, color_lab
from core.errors import UserError
from core.masks import read_mask
from core.nouns import singular
from tasks.drawing import pixels
from tasks.queries import take_apart

CONFIG = "mask"
SOURCES = ("exact", "human", "machine")  # by the number that files hold
COLUMNS = ("id", "manual_id", "query", "image", "mask", "instruction_variants", "source",
           "sample_weight")  # fmt: skip
# Sides of what the network sees are multiples of this: it halves them four times.
MULTIPLE = 16
WORDS_MOST = 64
PADDING, UNKNOWN = 0, 1  # numbers of words
_WORD = re.compile(r"[⅓½⅔¼¾]|\d+|[^\W\d_⅓½⅔¼¾]+")
_COLOR = re.compile(
    r"\b(?:(?:transparent|trans) )?(?:" + "|".join(sorted(COLORS, key=len, reverse=True)) + r")\b"
)
# How far from a named colour (CIE Lab) a pixel may be to look like it: by all three values, where
# light and shade count half, and by hue alone.
LAB_NEAR, HUE_NEAR, LIGHT_COUNTS = 12.0, 8.0, 0.5


@dataclass(frozen=True)
class Shown:
    """A picture as the network sees it, (h, w, 3) uint8: scaled to fit, then filled up at the right
    and below with its own rim. `inner_wh` is the size without that, `size_wh` the picture's own."""

    rgb: np.ndarray
    inner_wh: tuple[int, int]
    size_wh: tuple[int, int]


class Sample(NamedTuple):
    """A row: its picture by number, the share of every pixel that is meant, (h, w) float32, all of
    its instructions, and the one that is asked."""

    id: str
    manual_id: str
    picture: int
    target: np.ndarray
    texts: tuple[str, ...]
    query: str
    source: str
    weight: float
    place: Place


class Rows(NamedTuple):
    """The rows of a split and their pictures, each picture once."""

    pictures: list[Shown]
    samples: list[Sample]


def rows_of(
    build: Path, split: str, side: int, sources: Sequence[str] = SOURCES, limit: int | None = None
) -> Rows:
    """The mask rows of a split whose masks are of some sources, pictures scaled so that the longer
    side has `side` pixels. Raises `UserError` where there are none."""
    if not shards(build, CONFIG, split):
        raise UserError(
            f"{build}: no data/{CONFIG}/{split}-*.parquet in it; make one with: {command('build')}"
        )
    numbers: dict[str, int] = {}
    found = Rows([], [])
    for row in read_rows(build, CONFIG, split, COLUMNS):
        told = row.columns
        source = SOURCES[told["source"]]
        if source not in sources:
            continue
        number = picture_number(found, numbers, told["image"]["bytes"], side)
        picture = found.pictures[number]
        mask = read_mask(told["mask"]["bytes"], picture.size_wh)
        texts = dict.fromkeys(one["text"] for one in told["instruction_variants"])
        found.samples.append(
            Sample(
                told["id"], told["manual_id"], number, small_target(mask, picture),
                tuple(texts) or (told["query"],), told["query"], source, told["sample_weight"],
                row.place,
            )
        )  # fmt: skip
        if len(found.samples) == limit:
            break
    if not found.samples:
        raise UserError(f"{build}: no {split} row has a mask of source {' or '.join(sources)}")
    return found


def questions_of(build: Path, config: str, split: str, side: int) -> Rows:
    """The rows of a split of another task, asked with what their queries say of the picture; nobody
    knows which pixels are meant. Raises `UserError` where there are none."""
    if not shards(build, config, split):
        raise UserError(f"{build}: no data/{config}/{split}-*.parquet in it")
    found, numbers = Rows([], []), dict[str, int]()
    for row in read_rows(build, config, split, ("id", "manual_id", "query", "image")):
        told = row.columns
        number = picture_number(found, numbers, told["image"]["bytes"], side)
        text = take_apart(told["query"], config).instruction
        nothing = np.zeros(found.pictures[number].rgb.shape[:2], np.float32)
        found.samples.append(
            Sample(
                told["id"], told["manual_id"], number, nothing, (text,), text, "", 1.0, row.place
            )
        )
    return found


def picture_number(found: Rows, numbers: dict[str, int], data: bytes, side: int) -> int:
    """The number of a picture among those of some rows, where it is kept once."""
    key = hashlib.sha256(data).hexdigest()
    if key not in numbers:
        numbers[key] = len(found.pictures)
        found.pictures.append(shown(pixels({"image": {"bytes": data}}), side))
    return numbers[key]


# Pictures ----------------------------------------------------------------------------------------


def shown(rgb: np.ndarray, side: int) -> Shown:
    """A picture (H, W, 3) uint8 as the network sees it."""
    height, width = rgb.shape[:2]
    scale = side / max(height, width)
    inner = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(rgb, inner, interpolation=cv2.INTER_AREA)
    right, below = (-inner[0] % MULTIPLE, -inner[1] % MULTIPLE)
    return Shown(
        cv2.copyMakeBorder(small, 0, below, 0, right, cv2.BORDER_REPLICATE), inner, (width, height)
    )


def small_target(mask: np.ndarray, picture: Shown) -> np.ndarray:
    """A mask (H, W) bool at the picture's small size: the share of each pixel that it covers."""
    small = cv2.resize(mask.astype(np.float32), picture.inner_wh, interpolation=cv2.INTER_AREA)
    target = np.zeros(picture.rgb.shape[:2], np.float32)
    target[: picture.inner_wh[1], : picture.inner_wh[0]] = small
    return target


def full_map(logits: np.ndarray, picture: Shown) -> np.ndarray:
    """What the network says, (h, w) logits, as a map (H, W) float32 of the picture's size."""
    width, height = picture.inner_wh
    large = cv2.resize(logits[:height, :width], picture.size_wh, interpolation=cv2.INTER_LINEAR)
    found: np.ndarray = (1 / (1 + np.exp(-large.clip(-30, 30)))).astype(np.float32)
    return found


# Words -------------------------------------------------------------------------------------------


def words_of(text: str) -> list[str]:
    """The words of an instruction, in singular; sizes are taken apart.

    >>> words_of("2 red flat tiles 1x2.")
    ['2', 'red', 'flat', 'tile', '1', 'x', '2']
    """
    return [singular(word) for word in _WORD.findall(text.lower())][:WORDS_MOST]


def vocabulary(texts: Sequence[str]) -> dict[str, int]:
    """Numbers of all words of some instructions, from 2 up."""
    words = sorted({word for text in texts for word in words_of(text)})
    return {word: number for number, word in enumerate(words, UNKNOWN + 1)}


def word_numbers(text: str, known: dict[str, int]) -> list[int]:
    """An instruction as numbers of words; one that has no word at all is one unknown."""
    return [known.get(word, UNKNOWN) for word in words_of(text)] or [UNKNOWN]


# Colours -----------------------------------------------------------------------------------------


def colors_of(text: str) -> list[tuple[float, float, float]]:
    """CIE Lab of every colour that an instruction names."""
    names = dict.fromkeys(match[0] for match in _COLOR.finditer(text.lower()))
    labs = (color_lab(name, (255.0, 255.0, 255.0)) for name in names)
    return [tuple(map(float, lab)) for lab in labs if lab is not None]  # type: ignore[misc]


def likeness(lab: np.ndarray, colors: Sequence[tuple[float, float, float]]) -> np.ndarray:
    """How much pixels (h, w, 3) CIE Lab look like the most alike of some colours: (2, h, w) from 0
    to 1, by light and hue and by hue alone; 0 where no colour is named."""
    found = np.zeros((2, *lab.shape[:2]), np.float32)
    for color in colors:
        apart = (lab - np.asarray(color, np.float32)) ** 2
        hue = apart[..., 1] + apart[..., 2]
        both = hue + LIGHT_COUNTS**2 * apart[..., 0]
        np.maximum(found[0], np.exp(-both / (2 * LAB_NEAR**2)), out=found[0])
        np.maximum(found[1], np.exp(-hue / (2 * HUE_NEAR**2)), out=found[1])
    return found


def to_lab(rgb: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 as float32 CIE Lab."""
    found: np.ndarray = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return found


# Instructions of other rows ----------------------------------------------------------------------


def shuffled(samples: Sequence[Sample], seed: int) -> list[str]:
    """For every row an instruction of another one, which says something else: what a model must do
    worse with, if it reads. Raises `UserError` where all say the same."""
    if len({sample.query for sample in samples}) < 2:
        raise UserError("--shuffle-instructions: all rows have one instruction; build more manuals")
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(samples))
    asked = [samples[place].query for place in order]
    for place, sample in enumerate(samples):
        while asked[place] == sample.query:
            asked[place] = samples[int(rng.integers(len(samples)))].query
    return asked


def batches(samples: Sequence[Sample], pictures: Sequence[Shown], size: int) -> Iterator[list[int]]:
    """Rows by number, at most `size` together, pictures of one shape; in file order."""
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for number, sample in enumerate(samples):
        by_shape.setdefault(pictures[sample.picture].rgb.shape, []).append(number)
    for numbers in by_shape.values():
        for start in range(0, len(numbers), size):
            yield numbers[start : start + size]
