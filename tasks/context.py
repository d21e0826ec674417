"""What the three tasks share while one manual is turned into rows: pictures, encoder, drops."""

import collections
import functools
import random
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
from cachetools import LRUCache

from core.names import opaque_id
from core.pictures.containers import ImageError
from core.pictures.media import Picture, check_shape, encode, image_value, pixel_hash, read_picture
from core.records import Annotation, Drop, Instruction, Manual
from core.scenes import FOLDER as SCENE_FOLDER
from core.scenes import ManualScene, ScenePicture, StepScene, load_scene, read_masks
from tasks.options import TaskOptions as TaskOptions  # callers take it from here
from tasks.outline import SessionColor, session_color
from tasks.prompts import instruction_text
from tasks.regions import StepRegions
from tasks.sessions import ManualRow, session_rows
from tasks.task import Row

# Bounds on what a worker keeps decoded or encoded: memory must not grow with a manual's length.
PICTURE_CACHE_BYTES = 160 * 2**20
ENCODED_CACHE_BYTES = 64 * 2**20
STANDING_CACHE_BYTES = 96 * 2**20
PART_NUMBERS_CACHE_BYTES = 32 * 2**20


@dataclass
class Context:
    """One manual at work. `folder` is its crawl folder; images are read from there on demand."""

    manual: Manual
    folder: Path
    annotations: dict[int, Annotation]
    options: TaskOptions
    drops: list[Drop] = field(default_factory=list)
    # By instruction id: where the assembly of two steps before is (T13), whole pixels.
    background_rects_px: dict[int, list[int]] = field(default_factory=dict)
    # By instruction id: the bare new part, cut out (T13), as PNG bytes.
    parts: dict[int, bytes] = field(default_factory=dict)
    # Regions of steps by session and instruction id (`tasks/regions.py`).
    regions: dict[str, dict[int, StepRegions | str]] = field(default_factory=dict)
    # By instruction id of an eop: one of its collages (`tasks/object/rows.py`).
    collages: dict[int, Any] = field(default_factory=dict)
    # Instruction ids of the steps that state rows ask about.
    states_of: set[int] = field(default_factory=set)
    # By instruction id: pairs of things of a step (`tasks/spatial/pairs.py`).
    pairs: dict[int, Any] = field(default_factory=dict)
    # Notes on rows of masks (`tasks/mask/notes.py`).
    mask_notes: list[Any] = field(default_factory=list)
    # What screening turned down among wrong states, by "kind: reason".
    screened: collections.Counter[Any] = field(default_factory=collections.Counter[str])

    def __post_init__(self) -> None:
        self.sessions: dict[str, list[ManualRow]] = session_rows(self.manual)
        self._pictures: LRUCache[str, Picture] = LRUCache(
            PICTURE_CACHE_BYTES, getsizeof=lambda picture: picture.rgb.nbytes
        )
        # (H, W) bool what stands before the background, and the marks printed beside it.
        self.standing: LRUCache[str, tuple[np.ndarray, np.ndarray]] = LRUCache(
            STANDING_CACHE_BYTES, getsizeof=lambda masks: sum(mask.nbytes for mask in masks)
        )
        self._part_numbers: LRUCache[str, np.ndarray] = LRUCache(
            PART_NUMBERS_CACHE_BYTES, getsizeof=lambda numbers: numbers.nbytes
        )
        self._encoded: LRUCache[str, EncodedImage] = LRUCache(
            ENCODED_CACHE_BYTES, getsizeof=lambda image: len(image.data)
        )

    def rows(self) -> Iterator[ManualRow]:
        """Every eop and step row of every session, in order."""
        for rows in self.sessions.values():
            yield from rows

    @functools.cached_property
    def colors(self) -> dict[str, SessionColor]:
        """The colour of the outline around new parts, by session."""
        return {name: session_color(self, name, rows) for name, rows in self.sessions.items()}

    @functools.cached_property
    def scene(self) -> ManualScene | None:
        """What the source knows of its own pictures; None where it did not draw them."""
        return load_scene(self.folder)

    @functools.cached_property
    def _step_scenes(self) -> dict[str, StepScene]:
        return {step.step_sha256: step for step in self.scene.steps} if self.scene else {}

    @functools.cached_property
    def _scene_pictures(self) -> dict[str, ScenePicture]:
        return {one.sha256: one for one in self.scene.pictures} if self.scene else {}

    def step_scene(self, instruction: Instruction) -> StepScene | None:
        """The scene of a step by its picture."""
        return self._step_scenes.get(instruction.img_sha256 or "")

    def scene_picture(self, instruction: Instruction) -> ScenePicture | None:
        """What is known of a row's picture."""
        return self._scene_pictures.get(instruction.img_sha256 or "")

    def part_numbers(self, picture: ScenePicture) -> np.ndarray:
        """(H, W) numbers of parts in a picture of the scene, read once for all tasks; not to be
        written to."""
        numbers = self._part_numbers.get(picture.masks_file)
        if numbers is None:
            numbers = read_masks(self.folder, picture)
            numbers.flags.writeable = False
            if numbers.nbytes < PART_NUMBERS_CACHE_BYTES:
                self._part_numbers[picture.masks_file] = numbers
        return numbers

    def picture(self, instruction: Instruction) -> Picture | None:
        """The decoded picture of a row, None when it has none. Raises `ImageError`."""
        if instruction.VLM.img_path is None:
            return None
        key = instruction.VLM.img_path
        picture = self._pictures.get(key)
        if picture is None:
            try:
                picture = read_picture(self.folder / key)
            except ImageError as err:
                told = f"{site_path(instruction.img or key)}: {err.detail}"
                raise ImageError(err.reason, told) from err
            if picture.rgb.nbytes < PICTURE_CACHE_BYTES:
                self._pictures[key] = picture
        return picture

    def source_image(self, instruction: Instruction) -> "EncodedImage":
        """A row's picture as it is, encoded; encoded once however many rows show it."""

        def pixels() -> np.ndarray:
            picture = self.picture(instruction)
            if picture is None:
                raise ValueError(f"{self.item(instruction)}: it has no picture to encode")
            return picture.rgb

        return self._encoded_once(instruction.img_sha256 or "", pixels)

    def scene_image(self, picture: ScenePicture) -> "EncodedImage":
        """A picture that lies with the scene, encoded once. Raises `ImageError`."""
        path = self.folder / SCENE_FOLDER / str(picture.file)
        return self._encoded_once(picture.sha256, lambda: read_picture(path).rgb)

    def collage_image(
        self, instruction: Instruction, pixels: Callable[[], np.ndarray]
    ) -> "EncodedImage":
        """The collage of an eop that two tasks show, encoded once. Raises `ImageError`."""
        return self._encoded_once(f"collage {instruction.instruction_id}", pixels)

    def _encoded_once(self, key: str, pixels: Callable[[], np.ndarray]) -> "EncodedImage":
        image = self._encoded.get(key)
        if image is None:
            image = self.new_image(pixels())
            if len(image.data) < ENCODED_CACHE_BYTES:
                self._encoded[key] = image
        return image

    def new_image(self, rgb: np.ndarray) -> "EncodedImage":
        """Encode (H, W, 3) uint8 pixels; raises `ImageError` for what no row may hold."""
        return EncodedImage.of(rgb, self.options.image_format)

    def item(self, instruction: Instruction) -> str:
        """A row's name in drops and seeds."""
        return f"row {instruction.instruction_id}"

    def drop(self, task: str, instruction: Instruction, reason: str, detail: str = "") -> None:
        """Record that a row gives no example of a task."""
        self.drops.append(Drop(self.manual.manual_id, task, self.item(instruction), reason, detail))

    def unusable(self, task: str, instruction: Instruction, error: ImageError) -> None:
        """Record that a row gives no example of a task because of a picture."""
        self.drop(task, instruction, error.reason, error.detail)

    def rng(self, task: str, instruction: Instruction) -> random.Random:
        """A generator of this item's own: order, workers and other manuals change nothing."""
        name = f"{self.options.seed}:{task}:{self.manual.manual_id}:{instruction.instruction_id}"
        return random.Random(name)


@dataclass(frozen=True)
class EncodedImage:
    """An output picture: file bytes and the hash of its pixels."""

    data: bytes
    pixels_hash: str
    size_wh: tuple[int, int]
    image_format: str

    @classmethod
    def of(cls, rgb: np.ndarray, image_format: str) -> "EncodedImage":
        """Encode (H, W, 3) uint8 pixels; raises `ImageError` for what no row may hold."""
        size_wh = (rgb.shape[1], rgb.shape[0])
        check_shape(size_wh)
        return cls(encode(rgb, image_format), pixel_hash(rgb), size_wh, image_format)

    @property
    def column(self) -> dict[str, Any]:
        """The value of an Image column."""
        return image_value(self.data, self.image_format)


def base_row(
    context: Context,
    config: str,
    row: ManualRow,
    image: EncodedImage,
    texts: dict[str, str | None],
    sources: list[Instruction],
    annotator: str | None,
    confidence: float,
    words: str = "",
) -> Row:
    """The columns all configs share. `texts` holds query, answer and previous_instruction; `words`
    tell rows apart that show one picture and say something else of it.
    """
    instruction = row.instruction
    return {
        # The same inputs for a positive and its negatives but for the pixels.
        "id": opaque_id(
            config,
            context.manual.manual_id,
            instruction.instruction_id,
            image.pixels_hash,
            *([words] if words else []),
        ),
        "manual_id": context.manual.manual_id,
        "session_id": row.session_id,
        "step_num": instruction.VLM.step_num,
        "image": image.column,
        "instruction": instruction_text(instruction.text),
        **texts,
        "entities": [
            {"tag": tag, "text": text}
            for entity in instruction.entities
            for tag, text in entity.items()
            if tag != "this_line"
        ],
        "provenance": {
            "source_images": [
                {"path": site_path(source.img or ""), "sha256": source.img_sha256}
                for source in sources
            ],
            "annotator": annotator,
        },
        "confidence": confidence,
        "sample_weight": confidence,
    }


def site_path(url: str) -> str:
    """Path of a picture on its site, decoded: the same for a crawled and a saved site."""
    path = urlsplit(url.replace("#", "%23")).path if "://" in url else url
    return unicodedata.normalize("NFC", unquote(path)).lstrip("/")
