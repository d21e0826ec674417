"""Rows of a build as raters and galleries see them."""

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from core.build import BuildRow, Manifest, missing_shards, picture_bytes, read_rows
from core.relations import CONVERSATIONS
from tasks import EVERY_TASK

WEBP_METHOD = 4


def entries_of(build: Path, config: str) -> list[BuildRow]:
    """All rows of a config without their pictures, train before test, in file order."""
    return list(read_rows(build, config))


def group_of(entry: BuildRow) -> str:
    """What a row shares its boxes or its step with: the collages of one object, a state group."""
    return EVERY_TASK[entry.config].group_of(entry.columns)


def is_choice(entry: BuildRow) -> bool:
    """Whether a row asks for the relation of its pair; every pair has one such row."""
    kind = entry.columns["conversation_type"]
    return kind in (CONVERSATIONS[0], 0)


def missing_rows(
    build: Path, manifest: Manifest, configs: Sequence[str] | None = None
) -> list[str]:
    """What to tell about shards that are not there: a line a config and split."""
    return [str(one) for one in missing_shards(build, manifest, configs)]


def rank(seed: object, name: str) -> str:
    """A hash to sort by: a random order that depends on nothing but seed and name."""
    return hashlib.sha256(f"{seed}\n{name}".encode()).hexdigest()


def picture(entry: BuildRow) -> Image.Image:
    """The picture, RGB."""
    with Image.open(io.BytesIO(picture_bytes(entry.place))) as image:
        return image.convert("RGB")


def as_webp(data: bytes) -> tuple[bytes, tuple[int, int]]:
    """Lossless WebP of a picture file, and its (width, height); what is WebP stays as it is."""
    with Image.open(io.BytesIO(data)) as image:
        if image.format == "WEBP":
            return data, image.size
        buffer = io.BytesIO()
        image.convert("RGB").save(buffer, "WEBP", lossless=True, method=WEBP_METHOD)
        return buffer.getvalue(), image.size
