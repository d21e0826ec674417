"""Keep a page small enough for a mail: first pack its pictures harder, then make them smaller."""

import io
from collections.abc import Sequence

from PIL import Image

from review.questions import NamedBox, Question

# What a page of up to this many samples may have, and a longer one in proportion. Base64 takes 4
# bytes for 3; the rest of a page is small.
PAGE_BYTES, PAGE_SAMPLES = 25_000_000, 108
PICTURE_BYTES = int(0.98 * PAGE_BYTES * 3 / 4)
# Longest sides tried in turn, 0 for as it is; a picture fills about 800 px of a wide screen.
SIDES_PX = (0, 1280, 960, 800, 640, 480)
PACKING = {"lossless": True, "method": 4, "quality": 60}
# Packing harder and scaling rarely save more than this; sides that need more are not tried.
HOPE = 1.5


def fitted(questions: Sequence[Question]) -> tuple[list[Question], int | None]:
    """The questions with pictures that fit a page, always lossless, boxes scaled along; and the
    longest side in pixels they were brought down to, None for their own size.
    """
    room = PICTURE_BYTES * max(1.0, len(questions) / PAGE_SAMPLES)
    now = _bytes(questions)
    if now <= room:
        return list(questions), None
    longest = max(max(size) for question in questions for size in question.sizes_wh)
    for side in SIDES_PX:
        share = min(1.0, side / longest) ** 2 if side else 1.0
        if now * share > HOPE * room and side != SIDES_PX[-1]:
            continue
        packed: dict[bytes, tuple[bytes, float]] = {}
        smaller = [_smaller(question, side, packed) for question in questions]
        if _bytes(smaller) <= room:
            break
    return smaller, side or None


def _bytes(questions: Sequence[Question]) -> int:
    """Bytes of the distinct pictures, as `page` stores them."""
    return sum(
        len(data) for data, _ in {(d, p) for q in questions for p, d in enumerate(q.pictures)}
    )


def _smaller(question: Question, side: int, packed: dict[bytes, tuple[bytes, float]]) -> Question:
    pictures, sizes, scales = [], [], []
    for data, size in zip(question.pictures, question.sizes_wh, strict=True):
        if data not in packed:
            packed[data] = _packed(data, side)
        made, scale = packed[data]
        pictures.append(made)
        scales.append(scale)
        sizes.append((round(size[0] * scale), round(size[1] * scale)))
    boxes = [
        NamedBox(box.name, tuple(value * scales[0] for value in box.box_px))  # type: ignore[arg-type]
        for box in question.boxes
    ]
    return question._replace(pictures=tuple(pictures), sizes_wh=tuple(sizes), boxes=tuple(boxes))


def _packed(data: bytes, side: int) -> tuple[bytes, float]:
    """Lossless WebP of a picture no longer than `side` (0: any), and the scale it was given."""
    with Image.open(io.BytesIO(data)) as opened:
        image = opened.convert("RGB")
    scale = min(1.0, side / max(image.size)) if side else 1.0
    if scale < 1:
        size = (round(image.width * scale), round(image.height * scale))
        image = image.resize(size, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", **PACKING)
    return buffer.getvalue(), scale
